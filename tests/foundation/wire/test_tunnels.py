"""Connections that cease to be HTTP, on a Unix socket."""

import asyncio

import uvloop

from sampan.foundation.wire.http_server import serve_unix
from sampan.foundation.wire.message import Response


def talk(folder, handler, *sent, end=True):
    """What comes back for these bytes, up to the end of the connection."""

    async def run():
        server = await serve_unix(handler, path=folder / "s")
        reader, writer = await asyncio.open_unix_connection(str(folder / "s"))
        try:
            async with asyncio.timeout(10):
                answer = b""
                for data in sent:
                    writer.write(data)
                    if data is not sent[-1]:
                        answer += await reader.readuntil(b"\r\n\r\n")
                if end:
                    writer.write_eof()
                return answer + await reader.read()
        finally:
            writer.close()
            await server.close(0)

    return uvloop.run(run())


async def telling_back(request):
    """Says what came, once the other side has said all."""
    body = await request.read_body()

    async def tunnel(stream):
        said = []
        while data := await stream.read():
            said.append(data)
        await stream.write(body + b"|" + b"".join(said))

    status = 101 if "upgrade" in request.headers else 200
    return Response(status=status, headers={"X": "y"}, tunnel=tunnel)


def test_an_upgrade_with_a_body_becomes_a_tunnel_that_hears_the_end_and_still_answers(tmp_path):
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
    request = head + b"Content-Length: 4\r\n\r\nbody"
    answer = talk(tmp_path, telling_back, request, b"some", end=True)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"\r\n\r\nbody|some")


def test_what_comes_at_once_with_the_header_is_the_tunnels(tmp_path):
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    answer = talk(tmp_path, telling_back, head, b"some")
    assert answer.endswith(b"\r\n\r\n|some")


def test_a_client_that_did_not_ask_gets_a_tunnel_too(tmp_path):
    request = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"
    answer = talk(tmp_path, telling_back, request, b"GET / not any more")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nbody|GET / not any more")


def test_a_body_before_an_upgrade_is_bounded(tmp_path):
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
    request = head + b"Content-Length: 100000\r\n\r\n"
    assert talk(tmp_path, telling_back, request, end=False).startswith(b"HTTP/1.1 413 ")
