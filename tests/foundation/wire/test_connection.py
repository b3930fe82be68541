"""A connection's bytes: pipelining, old versions, rubbish, bodies that stay on the wire."""

import asyncio

import pytest

from sampan.foundation.wire.http_connection import HttpConnection
from sampan.foundation.wire.http_service import Service
from sampan.foundation.wire.message import Response
from sampan.foundation.wire.request_head import target


class Pipe(asyncio.Transport):
    """A transport that keeps what was written and whether reading is paused."""

    def __init__(self):
        super().__init__({"peername": ("192.0.2.1", 5)})
        self.written = b""
        self.closed = self.paused = False

    def write(self, data):
        self.written += data

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    def abort(self):
        self.closed = True

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


def connected(handler, maximum_body=1000):
    service = Service(handler, maximum_body, lambda _transport, _begun, _accepted: None)
    connection, pipe = HttpConnection(service), Pipe()
    connection.connection_made(pipe)
    return connection, pipe


async def tell(request):
    return Response(body=f"{request.method} {request.path}".encode())


def test_pipelined_requests_are_answered_in_order():
    async def story():
        connection, pipe = connected(tell)
        connection.data_received(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /")
        await settle()
        connection.data_received(b"c HTTP/1.1\r\n\r\n")
        await settle()
        bodies = [part.rpartition(b"\r\n\r\n")[2] for part in pipe.written.split(b"HTTP/1.1 200")]
        assert bodies == [b"", b"GET /a", b"GET /b", b"GET /c"]
        assert not pipe.closed
        connection.connection_lost(None)

    asyncio.run(story())


def test_a_peer_that_asks_for_it_is_closed():
    async def story():
        for request in (
            b"GET / HTTP/1.0\r\n\r\n",
            b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        ):
            connection, pipe = connected(tell)
            connection.data_received(request)
            await settle()
            assert b"Connection: close" in pipe.written
            assert pipe.closed
            connection.connection_lost(None)

    asyncio.run(story())


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x16\x03\x01 hello",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET /" + b"y" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_rubbish_ends_the_connection(rubbish):
    async def story():
        connection, pipe = connected(tell)
        connection.data_received(rubbish)
        await settle()
        assert pipe.written.startswith(b"HTTP/1.1 4")
        assert b"200" not in pipe.written.partition(b"\r\n")[0]
        assert pipe.closed
        connection.connection_lost(None)

    asyncio.run(story())


def test_a_body_waits_on_the_wire_until_it_is_asked_for():
    async def story():
        asked, sizes = asyncio.Event(), []

        async def patient(request):
            await asked.wait()
            sizes.append(len(await request.read_body()))
            return Response()

        connection, pipe = connected(patient, maximum_body=10**6)
        connection.data_received(b"POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n")
        connection.data_received(b"x" * 100_000)
        assert pipe.paused
        asked.set()
        await settle()
        assert not pipe.paused
        connection.data_received(b"x" * 100_000)
        await settle()
        assert sizes == [200_000]
        connection.connection_lost(None)

    asyncio.run(story())


def test_a_chunked_body_is_bounded_too():
    async def story():
        async def read(request):
            return Response(body=await request.read_body())

        connection, pipe = connected(read)
        connection.data_received(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        await settle()
        for _ in range(3):
            connection.data_received(b"200\r\n" + b"x" * 512 + b"\r\n")
        await settle()
        assert pipe.written.startswith(b"HTTP/1.1 413")
        connection.connection_lost(None)

    asyncio.run(story())


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /",
        b"GET / HTTP/1.1\r\nA: ",
        b"GET / HTTP/1.1\r\nA",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ",
    ],
)
def test_a_line_without_end_is_cut_off(beginning):
    async def story():
        connection, pipe = connected(_read)
        connection.data_received(beginning)
        await settle()
        sent = 0
        while not pipe.closed and sent < 1_000_000:
            connection.data_received(b"a" * 8192)
            sent += 8192
        assert sent < 100_000
        assert b"HTTP/1.1 431" in pipe.written
        connection.connection_lost(None)
        await settle()

    asyncio.run(story())


def test_a_body_may_come_in_any_number_of_chunks():
    async def story():
        async def read(request):
            size = 0
            async for piece in request.pieces():
                size += len(piece)
            return Response(body=b"%d" % size)

        connection, pipe = connected(read)
        connection.data_received(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            connection.data_received(b"1\r\nx\r\n" * 1000)
            await settle()
        connection.data_received(b"0\r\n\r\n")
        await settle()
        assert pipe.written.startswith(b"HTTP/1.1 200")
        assert pipe.written.endswith(b"\r\n100000")
        connection.connection_lost(None)

    asyncio.run(story())


def test_chunks_with_endless_extensions_are_cut_off():
    async def story():
        connection, pipe = connected(_read)
        connection.data_received(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        await settle()
        for _ in range(100):
            connection.data_received(b"1;%b\r\nx\r\n" % (b"a" * 1024))
        assert b"HTTP/1.1 431" in pipe.written
        connection.connection_lost(None)
        await settle()

    asyncio.run(story())


def test_trailers_are_no_headers_of_the_next_request():
    async def story():
        async def tell_headers(request):
            return Response(body=str(sorted(request.headers)).encode())

        connection, pipe = connected(tell_headers)
        connection.data_received(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: x\r\n\r\n"
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        await settle()
        assert pipe.written.endswith(b"['host']")
        assert b"authorization" not in pipe.written
        connection.connection_lost(None)

    asyncio.run(story())


def test_headers_that_a_client_repeats_are_each_requests_own():
    async def story():
        async def take(request):
            await request.read_body()
            return Response(body=f"[{request.headers.pop('x-one', '-')}]".encode())

        connection, pipe = connected(take)
        chunked = b"Transfer-Encoding: chunked\r\n"
        first = b"POST / HTTP/1.1\r\n" + chunked + b"\r\n0\r\nX-One: late\r\n\r\n"
        # As the first request looks together with its trailer.
        second = b"POST / HTTP/1.1\r\n" + chunked + b"X-One: 1\r\n\r\n0\r\n\r\n"
        late = b"POST / HTTP/1.1\r\n" + chunked + b"X-One: late\r\n\r\n0\r\n\r\n"
        for request in (first, late, second, second, first):
            connection.data_received(request)
            await settle()
        bodies = [part.rpartition(b"\r\n\r\n")[2] for part in pipe.written.split(b"HTTP/1.1 200")]
        assert bodies == [b"", b"[-]", b"[late]", b"[1]", b"[1]", b"[-]"]
        connection.connection_lost(None)

    asyncio.run(story())


async def _read(request):
    return Response(body=await request.read_body())


def test_whoever_wants_to_continue_is_told_when_the_body_is_asked_for():
    async def story():
        async def read(request):
            return Response(body=await request.read_body())

        connection, pipe = connected(read)
        header = b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        connection.data_received(header)
        await settle()
        assert pipe.written == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.data_received(b"ok")
        await settle()
        assert pipe.written.endswith(b"ok")
        connection.connection_lost(None)

    asyncio.run(story())


def test_a_handler_that_fails_tells_nothing(caplog: pytest.LogCaptureFixture):
    async def story():
        async def fail(_request):
            raise RuntimeError("a secret")

        connection, pipe = connected(fail)
        connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
        await settle()
        assert pipe.written.startswith(b"HTTP/1.1 500")
        assert b"secret" not in pipe.written
        connection.connection_lost(None)

    asyncio.run(story())
    assert "a secret" in caplog.text


def test_a_stream_that_breaks_is_cut_off(caplog: pytest.LogCaptureFixture):
    async def story():
        async def pieces():
            yield b"half"
            raise RuntimeError("a secret")

        async def fail(_request):
            return Response(body=pieces())

        connection, pipe = connected(fail)
        connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
        await settle()
        assert pipe.closed
        assert not pipe.written.endswith(b"0\r\n\r\n")
        assert b"secret" not in pipe.written
        connection.connection_lost(None)

    asyncio.run(story())
    assert "an answer broke off" in caplog.text


def test_no_value_begins_another_header():
    async def story():
        async def split(_request):
            return Response(headers={"X": "a\r\nSet-Cookie: b"})

        connection, pipe = connected(split)
        connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
        await settle()
        assert b"\r\nSet-Cookie" not in pipe.written
        connection.connection_lost(None)

    asyncio.run(story())


def test_targets():
    assert target(b"/a%20b?x=1&x=%26&y") == ("/a b", (("x", "1"), ("x", "&"), ("y", "")))
    assert target(b"http://host:1/a?b=c") == ("/a", (("b", "c"),))
    assert target(b"/a?" + b"&".join([b"x=1"] * 1000)) == ("/a", ())
