"""An API server with its controllers over TLS on loopback, and kubectl pointed at it.

Nothing of the kernel is needed, and no node: the server listens on a port of its own.
"""

import asyncio
import base64
import json
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import uvloop
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

INSTANCE = Instance(name="served")
SECONDS = 30


class Kubectl:
    """kubectl, pointed at a running server."""

    def __init__(self, folder: Path, address: str, authority: bytes) -> None:
        self.folder = folder
        self._address = address
        self._authority = authority

    async def __call__(
        self,
        *arguments: str,
        config: str = "kubeconfig",
        text: str = "",
        minor: int = 37,
        **more: str,
    ) -> str:
        """What it prints, or its complaint after `error: `; `more` goes into the environment."""
        process = await asyncio.create_subprocess_exec(
            str(KUBECTL_FOLDER / f"kubectl-1.{minor}"),
            *arguments,
            env={
                "KUBECONFIG": str(self.folder / config),
                "HOME": str(self.folder),
                "PATH": os.environ["PATH"],
                **more,
            },
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
        context="served",
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
