"""A client that speaks protobuf alone, against a server over TLS on loopback."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
import uvloop

from sampan.control.api.server import ApiServer
from sampan.control.api.settings import settings_of
from sampan.foundation.pki.cluster import prepare
from sampan.foundation.pki.contexts import server_context
from sampan.foundation.pki.tokens import TokenSigner
from sampan.foundation.settings import Instance
from sampan.foundation.wire.http_server import serve
from sampan.store.memory import MemoryStore

pytestmark = pytest.mark.real

INSTANCE = Instance(name="protobuf")
CLIENT = Path(__file__).with_name("protobuf_client.py")
SECONDS = 60


def _now() -> datetime:
    return datetime.now(UTC)


async def _run_client(folder: Path) -> str:
    credentials = prepare(folder / "pki", INSTANCE, _now())
    settings = settings_of(INSTANCE)
    signer = TokenSigner(credentials.service_account_key.read_bytes(), settings.issuer)
    api = ApiServer.create(
        MemoryStore(), settings=settings, signer=signer, clock=_now, random=Random(1)
    )
    await api.start()
    address = str(INSTANCE.loopback_address)
    context = server_context(credentials.api_server, credentials.authority)
    server = await serve(api.handle, addresses=[address], port=0, context=context)
    try:
        pair = credentials.administrator
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(CLIENT),
            f"{address}:{server.port}",
            str(credentials.authority),
            str(pair.certificate),
            str(pair.key),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(SECONDS):
            printed, _ = await process.communicate()
        return printed.decode()
    finally:
        await api.close()
        await server.close()


def test_a_client_that_speaks_protobuf_alone(tmp_path):
    printed = uvloop.run(_run_client(tmp_path))
    assert printed.split() == ["writes", "reads", "watches", "leases"], printed
