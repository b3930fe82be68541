"""Identity as kubectl sees it: an API server with its controllers over TLS on loopback.

Nothing of the kernel is needed, and no node: the server listens on a port of its own.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.real.harness import KUBECTL_FOLDER

from sampan.control.api.server import ApiServer
from sampan.control.api.settings import settings_of
from sampan.control.controllers.all import run_controllers
from sampan.control.controllers.settings import ControllerSettings
from sampan.foundation.pki import kubeconfig
from sampan.foundation.pki.authority import Authority, KeyPair
from sampan.foundation.pki.cluster import prepare
from sampan.foundation.pki.contexts import server_context
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.http_server import serve
from sampan.store.memory import MemoryStore

pytestmark = pytest.mark.real

INSTANCE = Instance(name="ident")
SECONDS = 30


class Kubectl:
    """kubectl, pointed at a running server."""

    def __init__(self, folder: Path, address: str, authority: bytes) -> None:
        self.folder = folder
        self._address = address
        self._authority = authority

    async def __call__(self, *arguments: str, config: str = "kubeconfig", text: str = "") -> str:
        """What it prints, or its complaint after `error: `."""
        process = await asyncio.create_subprocess_exec(
            str(KUBECTL_FOLDER / "kubectl-1.37"),
            *arguments,
            env={"KUBECONFIG": str(self.folder / config), "HOME": str(self.folder)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(SECONDS):
            out, complaint = await process.communicate(text.encode())
        printed = out.decode()
        return printed if process.returncode == 0 else f"error: {printed}{complaint.decode()}"

    def write_config(self, name: str, user: dict[str, str]) -> None:
        """A kubeconfig in which somebody shows a credential."""
        cluster = {
            "server": self._address,
            "certificate-authority-data": base64.b64encode(self._authority).decode(),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        (self.folder / name).write_text(json.dumps(document))


def play(folder: Path, story: Callable[[Kubectl], Awaitable[None]]) -> None:
    """Tell a story against a server that is gone afterwards."""
    uvloop.run(asyncio.wait_for(_play(folder, story), 120))


async def _play(folder: Path, story: Callable[[Kubectl], Awaitable[None]]) -> None:
    credentials = prepare(folder / "pki", INSTANCE, _now())
    settings = settings_of(INSTANCE)
    signer = TokenSigner(credentials.service_account_key.read_bytes(), settings.issuer)
    authority = Authority(
        credentials.authority.read_bytes(), credentials.authority_key.read_bytes()
    )
    api = ApiServer.create(
        MemoryStore(), settings=settings, signer=signer, clock=_now, random=Random(1)
    )
    await api.start()
    server = await serve(
        api.handle,
        addresses=[str(INSTANCE.loopback_address)],
        port=0,
        context=server_context(credentials.api_server, credentials.authority),
    )
    told = ControllerSettings(
        pod_range=INSTANCE.pod_range, authority=authority, sign_token=signer.sign
    )
    controllers = await run_controllers(api.client, told, _now, Random(1))
    address = f"https://{INSTANCE.loopback_address}:{server.port}"
    pair = credentials.administrator
    administrator = KeyPair(pair.certificate.read_bytes(), pair.key.read_bytes())
    document = kubeconfig.kubeconfig(
        server=address,
        context="ident",
        authority=authority.certificate,
        administrator=administrator,
    )
    (folder / "kubeconfig").write_bytes(kubeconfig.render(document))
    try:
        await story(Kubectl(folder, address, authority.certificate))
    finally:
        await controllers.close()
        await server.close(0.1)
        await api.close()


def _now() -> datetime:
    return datetime.now(UTC)


async def eventually(kubectl: Kubectl, wanted: str, *arguments: str) -> str:
    """What kubectl prints once `wanted` is in it."""
    for _ in range(50):
        said = await kubectl(*arguments)
        if wanted in said:
            return said
        await asyncio.sleep(0.1)
    raise AssertionError(f"{wanted!r} did not come: {said}")


def test_a_token_shows_who_its_bearer_is(tmp_path: Path) -> None:
    async def story(kubectl: Kubectl) -> None:
        await kubectl("create", "serviceaccount", "robot")
        token = await kubectl("create", "token", "robot", "--duration=10m", "--audience=vault")
        kubectl.write_config("other", {"token": token})
        assert "must be logged in" in await kubectl("auth", "whoami", config="other")
        token = await kubectl("create", "token", "robot")
        kubectl.write_config("robot", {"token": token})
        who = json.loads(await kubectl("auth", "whoami", "-o", "json", config="robot"))
        assert who["status"]["userInfo"]["username"] == "system:serviceaccount:default:robot"
        assert "less than 10 minutes" in await kubectl("create", "token", "robot", "--duration=1m")
        await kubectl("create", "rolebinding", "v", "--clusterrole=view", "--user=jane")
        assert await eventually(kubectl, "yes", "auth", "can-i", "get", "pods", "--as=jane")
        assert "no" in await kubectl("auth", "can-i", "get", "secrets", "--as=jane")
        listed = await kubectl("auth", "can-i", "--list", "--as=jane")
        assert "configmaps" in listed
        assert "incomplete" not in listed
        await kubectl("delete", "serviceaccount", "robot")
        assert "must be logged in" in await kubectl("auth", "whoami", config="robot")

    play(tmp_path, story)


def test_a_certificate_is_asked_for_approved_and_used(tmp_path: Path) -> None:
    async def story(kubectl: Kubectl) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        body = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": "jane"},
            "spec": {
                "request": base64.b64encode(pem).decode(),
                "signerName": "kubernetes.io/kube-apiserver-client",
                "usages": ["client auth"],
            },
        }
        await kubectl("create", "-f", "-", text=json.dumps(body))
        assert "Pending" in await kubectl("get", "csr")
        assert "approved" in await kubectl("certificate", "approve", "jane")
        await eventually(kubectl, "Approved,Issued", "get", "csr")
        certificate = await kubectl("get", "csr", "jane", "-o", "jsonpath={.status.certificate}")
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        user = {
            "client-certificate-data": certificate,
            "client-key-data": base64.b64encode(private).decode(),
        }
        kubectl.write_config("jane", user)
        assert "jane" in await kubectl("auth", "whoami", config="jane")
        body["metadata"] = {"name": "second"}
        await kubectl("create", "-f", "-", text=json.dumps(body))
        assert "denied" in await kubectl("certificate", "deny", "second")
        assert "Denied" in await kubectl("get", "csr", "second")

    play(tmp_path, story)


def test_a_secret_keeps_the_token_of_an_account(tmp_path: Path) -> None:
    async def story(kubectl: Kubectl) -> None:
        await kubectl("create", "serviceaccount", "robot")
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/service-account-token",
            "metadata": {
                "name": "robot",
                "annotations": {"kubernetes.io/service-account.name": "robot"},
            },
        }
        await kubectl("create", "-f", "-", text=json.dumps(secret))
        encoded = await eventually(
            kubectl,
            "ey",
            "get",
            "secret",
            "robot",
            "-o",
            "go-template={{.data.token|base64decode}}",
        )
        kubectl.write_config("robot", {"token": encoded})
        assert "default:robot" in await kubectl("auth", "whoami", config="robot")
        await kubectl("delete", "secret", "robot")
        assert "must be logged in" in await kubectl("auth", "whoami", config="robot")

    play(tmp_path, story)
