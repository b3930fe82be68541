"""Requests on a connection of their own: what servers may answer, well-formed or not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from sampan.foundation.wire.http_exchange import Exchange, Origin, Outgoing, exchange

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def played(serve: Serve, story: Callable[[Origin], Awaitable[None]]) -> None:
    """Runs a story with a server on loopback whose bytes the test writes itself."""

    async def run() -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            finally:
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        async with server:
            origin = Origin("127.0.0.1", server.sockets[0].getsockname()[1])
            await asyncio.wait_for(story(origin), 10)

    asyncio.run(run())


def answering(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return serve


async def body_of(made: Exchange) -> bytes:
    try:
        return b"".join([piece async for piece in made.pieces()])
    finally:
        await made.aclose()


GET = Outgoing("GET", "/a b/ü", (("x", "1 2"),), (("Host", "h"), ("X-Line", "a\r\nb: c")))


def test_a_request_is_written_as_it_is_meant() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\nA: 1\r\nA: 2\r\n\r\n")

    async def story(origin: Origin) -> None:
        made = await exchange(origin, GET)
        assert (made.status, made.headers) == (204, [("A", "1"), ("A", "2")])
        assert await body_of(made) == b""

    played(serve, story)
    lines = seen[0].split(b"\r\n")
    assert lines[:3] == [b"GET /a%20b/%C3%BC?x=1+2 HTTP/1.1", b"Host: h", b"X-Line: a  b: c"]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", b"hi"),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nyes", b"yes"),
    ],
)
def test_answers_of_every_length(answer: bytes, body: bytes) -> None:
    async def story(origin: Origin) -> None:
        made = await exchange(origin, GET)
        assert made.status == 200
        assert "link" not in {name.lower() for name, _ in made.headers}
        assert await body_of(made) == body

    played(answering(answer), story)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
    ],
)
def test_what_is_no_answer_is_told_as_such(answer: bytes) -> None:
    async def story(origin: Origin) -> None:
        with pytest.raises(ConnectionError):
            await exchange(origin, GET)

    played(answering(answer), story)


def test_a_body_that_breaks_off_fails() -> None:
    async def story(origin: Origin) -> None:
        made = await exchange(origin, GET)
        with pytest.raises(ConnectionError):
            await body_of(made)

    played(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"), story)


def test_an_answer_may_come_before_the_body_has_been_read() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    async def story(origin: Origin) -> None:
        made = await exchange(origin, Outgoing("POST", "/", body=endless()))
        assert made.status == 413
        await made.aclose()

    played(answering(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"), story)


def test_a_sender_that_goes_away_ends_the_exchange() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionResetError("the peer went away")

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async def story(origin: Origin) -> None:
        with pytest.raises(ConnectionError):
            await exchange(origin, Outgoing("POST", "/", body=broken()))

    played(silent, story)


def test_nobody_listens() -> None:
    async def story() -> None:
        refused = r"dial tcp 127\.0\.0\.1:1: connect: connection refused"
        with pytest.raises(ConnectionError, match=refused):
            await exchange(Origin("127.0.0.1", 1), GET)

    asyncio.run(story())
