"""An issuer's documents are read over TLS of the right authority, bounded, and nowhere else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from sampan.control.api.authentication import issuer_fetch
from sampan.foundation.pki.authority import Authority
from sampan.foundation.pki.contexts import KeyPairPaths, server_context
from sampan.foundation.wire.http_server import serve
from sampan.foundation.wire.message import Request, Response

LOOPBACK = "127.0.0.1"
NOW = datetime.now(UTC)
AUTHORITY, OTHER = Authority.create("issuer", NOW), Authority.create("other", NOW)


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(65536)
        await asyncio.sleep(0)


async def answer(request: Request) -> Response:
    answers = {
        "/keys": Response(body=b"{}"),
        "/large": Response(body=bytes(issuer_fetch.MAXIMUM_BYTES + 1)),
        "/endless": Response(body=endless()),
        "/moved": Response(status=302, headers={"Location": "https://127.0.0.1/keys"}),
    }
    return answers.get(request.path, Response(status=404))


async def fetched(folder: Path, path: str, authority: Authority) -> bytes:
    pair = AUTHORITY.issue("server", addresses=[ip_address(LOOPBACK)], usage="server", now=NOW)
    paths = KeyPairPaths(folder / "issuer.crt", folder / "issuer.key")
    paths.certificate.write_bytes(pair.certificate)
    paths.key.write_bytes(pair.key)
    context = server_context(paths, None)
    server = await serve(answer, addresses=[LOOPBACK], port=0, context=context)
    try:
        address = f"https://{LOOPBACK}:{server.port}{path}"
        return await issuer_fetch.fetch(address, authority.certificate.decode())
    finally:
        await server.close(0.1)


def test_a_document_is_read(tmp_path: Path) -> None:
    assert asyncio.run(fetched(tmp_path, "/keys", AUTHORITY)) == b"{}"


@pytest.mark.parametrize("path", ["/large", "/endless", "/moved", "/absent"])
def test_what_is_no_plain_answer_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConnectionError):
        asyncio.run(fetched(tmp_path, path, AUTHORITY))


def test_an_issuer_of_another_authority_is_not_heard(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError):
        asyncio.run(fetched(tmp_path, "/keys", OTHER))


@pytest.mark.parametrize("address", ["http://127.0.0.1/keys", "file:///etc/passwd", "https:///x"])
def test_nothing_but_https_is_asked(address: str) -> None:
    with pytest.raises(ConnectionError):
        asyncio.run(issuer_fetch.fetch(address, AUTHORITY.certificate.decode()))


def test_an_authority_that_is_none_is_refused() -> None:
    with pytest.raises(ConnectionError):
        asyncio.run(issuer_fetch.fetch("https://127.0.0.1/keys", "nothing"))
