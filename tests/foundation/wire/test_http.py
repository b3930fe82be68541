"""Server and client of HTTPS against each other, on the loopback."""

import asyncio
import gzip
import ssl
from datetime import UTC, datetime

import pytest
import uvloop

from sampan.foundation.pki.cluster import prepare
from sampan.foundation.pki.contexts import client_context, server_context
from sampan.foundation.settings import Instance
from sampan.foundation.wire import http_answer, http_connection
from sampan.foundation.wire.http_client import HttpsTransport
from sampan.foundation.wire.http_server import serve
from sampan.foundation.wire.message import HandshakeRefused, Request, Response, whole


@pytest.fixture(scope="module")
def credentials(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wire")
    return prepare(folder / "pki", Instance(), datetime.now(UTC))


def play(story, credentials, handler, *, pair="administrator"):
    async def run():
        server = await serve(
            handler,
            addresses=["127.0.0.1"],
            port=0,
            context=server_context(credentials.api_server, credentials.authority),
        )
        shown = getattr(credentials, pair) if pair else None
        context = client_context(credentials.authority, shown)
        transport = HttpsTransport(f"https://127.0.0.1:{server.port}", context)
        try:
            async with asyncio.timeout(30):
                await story(transport, server)
        finally:
            await transport.close()
            await server.close(1)

    uvloop.run(run())


async def echo(request):
    body = await request.read_body()
    seen = [request.method, request.path, request.query, dict(request.peer_subject), len(body)]
    return Response(headers={"Content-Type": "text/plain"}, body=repr(seen).encode())


def test_a_request_arrives_as_it_was_sent(credentials):
    async def story(transport, _server):
        request = Request(
            method="POST",
            path="/a b/ü",
            query=(("x", "1"), ("x", "2 &"), ("y", "")),
            body=b"z" * 200_000,
        )
        answer = await transport.send(request)
        seen = [
            "POST",
            "/a b/ü",
            (("x", "1"), ("x", "2 &"), ("y", "")),
            {"organizationName": "system:masters", "commonName": "kubernetes-admin"},
            200_000,
        ]
        assert (await whole(answer.body)).decode() == repr(seen)

    play(story, credentials, echo)


def test_a_client_without_certificate_is_nobody(credentials):
    async def story(transport, _server):
        answer = await transport.send(Request(method="GET", path="/"))
        assert b"{}" in await whole(answer.body)

    play(story, credentials, echo, pair=None)


def test_a_large_body_is_refused_unread(credentials):
    async def story(transport, _server):
        request = Request(method="POST", path="/", body=b"z" * 5_000_000)
        answer = await transport.send(request)
        assert answer.status == 413
        assert answer.headers["connection"] == "close"

    play(story, credentials, echo)


def test_a_body_that_nobody_asks_for_is_not_taken_in(credentials):
    async def refuse(_request):
        return Response(status=403, body=b"no")

    async def story(transport, _server):
        answer = await transport.send(Request(method="POST", path="/", body=b"z" * 1_000_000))
        assert answer.status == 403
        assert (await transport.send(Request(method="GET", path="/"))).status == 403

    play(story, credentials, refuse)


def test_head_is_told_what_get_would_be_without_the_body(credentials):
    ended = asyncio.Event()

    class Endless:
        def __aiter__(self):
            return self

        async def __anext__(self):
            return b"piece"

        async def aclose(self):
            ended.set()

    async def handler(request):
        return Response(body=b"x" * 500_000 if request.path == "/large" else Endless())

    async def story(transport, _server):
        for path, length in (("/large", "500000"), ("/endless", None)):
            headers = {"accept-encoding": "gzip"}
            answer = await transport.send(Request(method="HEAD", path=path, headers=headers))
            assert answer.status == 200
            assert answer.headers.get("content-length") == length
            assert await whole(answer.body) == b""
        await asyncio.wait_for(ended.wait(), 5)

    play(story, credentials, handler)


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("identity", False),
        ("", False),
    ],
)
def test_whether_a_client_takes_gzip(header, taken):
    assert http_answer.takes_gzip(header) is taken


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_large_answers_arrive_whole(credentials, encoding):
    pieces = [bytes([65 + number % 26]) * 3000 for number in range(500)] + [b"x" * 900_000]

    async def answer(_request):
        return Response(body=pieces)

    async def story(transport, _server):
        request = Request(method="GET", path="/", headers={"Accept-Encoding": encoding})
        received = await transport.send(request)
        assert (received.headers.get("content-encoding") == "gzip") is (encoding == "gzip")
        body = await whole(received.body)
        assert (gzip.decompress(body) if encoding == "gzip" else body) == b"".join(pieces)

    play(story, credentials, answer)


def test_what_comes_compressed_unasked_is_not_unpacked(credentials):
    bomb = gzip.compress(bytes(10_000_000))

    async def answer(_request):
        return Response(headers={"Content-Encoding": "gzip"}, body=bomb)

    async def story(transport, _server):
        received = await transport.send(Request(method="GET", path="/"))
        assert received.body == bomb

    play(story, credentials, answer)


def test_a_stream_arrives_piece_by_piece_and_ends_when_its_reader_leaves(credentials):
    closed = asyncio.Event()

    async def endless():
        try:
            while True:
                yield b"tick\n"
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    async def answer(_request):
        return Response(body=endless())

    async def story(transport, _server):
        received = await transport.send(Request(method="GET", path="/"))
        assert (await anext(received.body)).startswith(b"tick")
        await received.body.aclose()
        await asyncio.wait_for(closed.wait(), 5)

    play(story, credentials, answer)


def test_a_stream_stays_one_when_a_web_socket_was_asked_for(credentials):
    closed = asyncio.Event()

    async def endless():
        try:
            while True:
                yield b"tick"
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    async def answer(_request):
        return Response(body=endless())

    async def story(_transport, server):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, ssl=client_context(credentials.authority)
        )
        writer.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        await asyncio.wait_for(reader.readuntil(b"tick"), 5)
        writer.transport.abort()
        await asyncio.wait_for(closed.wait(), 5)

    play(story, credentials, answer)


def test_web_sockets_share_a_subprotocol(credentials):
    async def answer(_request):
        async def chat(socket):
            while (message := await socket.receive()) is not None:
                await socket.send(message[::-1])

        return Response(websocket=chat, subprotocols=("v5", "v4"))

    async def story(transport, _server):
        socket = await transport.connect("/chat", subprotocols=("v4", "v3"))
        assert socket.subprotocol == "v4"
        await socket.send(b"abc")
        assert await socket.receive() == b"cba"
        await socket.close()
        with pytest.raises(HandshakeRefused) as refused:
            await transport.connect("/chat", subprotocols=("v1",))
        assert refused.value.status == 400

    play(story, credentials, answer)


def test_headers_that_never_end_close_the_connection(credentials, monkeypatch):
    monkeypatch.setattr(http_connection, "HEADER_SECONDS", 0.05)

    async def story(_transport, server):
        context = client_context(credentials.authority)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert await reader.read() == b""
        writer.close()

    play(story, credentials, echo)


def test_a_strangers_certificate_is_refused(credentials, tmp_path):
    async def story(_transport, server):
        other = prepare(tmp_path / "pki", Instance(name="other"), datetime.now(UTC))
        context = client_context(credentials.authority, other.administrator)
        stranger = HttpsTransport(f"https://127.0.0.1:{server.port}", context)
        with pytest.raises(ConnectionError):
            await stranger.send(Request(method="GET", path="/"))
        await stranger.close()

    play(story, credentials, echo)


def test_a_server_that_is_not_there_is_a_connection_error():
    async def story():
        transport = HttpsTransport("https://127.0.0.1:1", ssl.create_default_context())
        with pytest.raises(ConnectionError):
            await transport.send(Request(method="GET", path="/"))
        await transport.close()

    asyncio.run(story())


def test_running_requests_end_before_the_server_does(credentials):
    started = asyncio.Event()

    async def slow(_request):
        started.set()
        await asyncio.sleep(0.1)
        return Response(body=b"done")

    async def story(transport, server):
        waiting = asyncio.create_task(transport.send(Request(method="GET", path="/")))
        await started.wait()
        await server.close(5)
        assert (await waiting).body == b"done"

    play(story, credentials, slow)
