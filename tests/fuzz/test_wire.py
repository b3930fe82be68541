"""Whatever bytes arrive on a connection: answers in HTTP or an end, and nothing escapes."""

import asyncio
import re
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from tests.foundation.wire.test_connection import Pipe, settle
from tests.fuzz.drawn_trees import randoms, spoiled_bytes

from sampan.foundation.wire.http_connection import HttpConnection
from sampan.foundation.wire.http_service import Service
from sampan.foundation.wire.message import BodyTooLarge, Request, Response

HEADS = (
    b"GET /api/v1/pods?limit=5&watch=%zz HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
    b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world",
    b"POST /api HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HEAD http://other/x HTTP/1.1\r\nHost: x\r\nX-Y: a\r\n b\r\n\r\n",
    b"CONNECT other:443 HTTP/1.1\r\nHost: x\r\n\r\n",
)
STATUS_LINE = re.compile(rb"HTTP/1\.1 [1-5]\d\d ")


class Line(Pipe):
    """A transport that hands what arrives to whoever has the connection by now."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.protocol = protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol


async def tell(request: Request) -> Response:
    """Reads the body and answers with its length; paths are never of half a sign."""
    request.path.encode()
    assert all((name + value).encode() is not None for name, value in request.query)
    try:
        body = await request.read_body()
    except BodyTooLarge:
        return Response(status=413)
    return Response(body=b"%d" % len(body))


def drawn(random: Random) -> list[bytes]:
    """A few requests, spoiled or not, in pieces of any size."""
    data = b"".join(random.choice(HEADS) for _ in range(random.choice((1, 1, 2, 4))))
    data = spoiled_bytes(data, random, random.choice((0, 1, 1, 2, 5)))
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.choice((0, 1, 5))))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


async def talk(pieces: list[bytes]) -> bytes:
    escaped: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, told: escaped.append(told))
    connection = HttpConnection(Service(tell, 1000, lambda *_: None))
    line = Line(connection)
    connection.connection_made(line)
    for piece in pieces:
        if piece and not line.closed:
            line.protocol.data_received(piece)
            await settle()
    line.protocol.connection_lost(None)
    await settle()
    assert escaped == []
    return line.written


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@settings.get_profile("fuzz-slowly")
@given(randoms)
def test_no_bytes_are_too_much(loop: asyncio.Runner, random: Random) -> None:
    pieces = drawn(random)
    written = loop.run(talk(pieces))
    assert not written or STATUS_LINE.match(written), (pieces, written)
    assert b"HTTP/1.1 5" not in written, (pieces, written)
    assert b"Traceback" not in written
