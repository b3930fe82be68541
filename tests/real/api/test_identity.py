"""Identity as kubectl sees it."""

import asyncio
import base64
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.real.api.served import Kubectl, play

pytestmark = pytest.mark.real


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
