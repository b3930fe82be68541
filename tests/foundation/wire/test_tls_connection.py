"""TLS whose halves end one by one, spoken to over loopback by a client that ends its own first."""

import asyncio
import contextlib
import socket
import ssl
from datetime import UTC, datetime

import pytest
import uvloop

from sampan.foundation.pki.cluster import prepare
from sampan.foundation.pki.contexts import client_context, server_context
from sampan.foundation.settings import Instance
from sampan.foundation.wire.http_server import serve
from sampan.foundation.wire.message import Response
from sampan.foundation.wire.tls_connection import TlsConnection

UPGRADE = b"POST /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@pytest.fixture(scope="module")
def credentials(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("pki") / "pki", Instance(), datetime.now(UTC))


class Client:
    """A blocking TLS client that can end its half and read on."""

    def __init__(self, context, port):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arrived, self._leaving, server_hostname="localhost")
        self._done(self._tls.do_handshake)

    def send(self, data):
        self._done(lambda: self._tls.write(data))

    def end(self):
        """Say `close_notify`, and nothing else."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._flush()

    def read(self):
        """All up to the other side's `close_notify`."""
        pieces = []
        with contextlib.suppress(ssl.SSLZeroReturnError):
            while piece := self._done(lambda: self._tls.read(1 << 16)):
                pieces.append(piece)
        return b"".join(pieces)

    def close(self):
        self._socket.close()

    def _flush(self):
        self._socket.sendall(self._leaving.read())

    def _done(self, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._flush()
                data = self._socket.recv(1 << 16)
                assert data, "the connection was cut off"
                self._arrived.write(data)
            finally:
                self._flush()


def talk(credentials, handler, work, version=ssl.TLSVersion.TLSv1_3):
    """What `work` makes of a client of a server with this handler."""
    context = client_context(credentials.authority, credentials.administrator)
    context.maximum_version = version

    def with_client(port):
        client = Client(context, port)
        try:
            return work(client)
        finally:
            client.close()

    async def run():
        pair = server_context(credentials.api_server, credentials.authority, require_client=True)
        server = await serve(
            handler, addresses=["127.0.0.1"], port=0, context=pair, halves_end_apart=True
        )
        try:
            async with asyncio.timeout(20):
                return await asyncio.to_thread(with_client, server.port)
        finally:
            await server.close(0)

    return uvloop.run(run())


async def telling_back(_request):
    """Says what came, once the other side has said all."""

    async def tunnel(stream):
        said = []
        while data := await stream.read():
            said.append(data)
        await stream.write(b"|" + b"".join(said))

    return Response(status=101, headers={"X": "y"}, tunnel=tunnel)


@pytest.mark.parametrize("version", VERSIONS)
def test_who_has_said_all_still_hears_the_answer(credentials, version):
    def work(client):
        client.send(UPGRADE + b"so")
        client.send(b"me")
        client.end()
        return client.read()

    answer = talk(credentials, telling_back, work, version)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"\r\n\r\n|some")


def test_much_goes_both_ways_at_the_readers_pace(credentials):
    data = bytes(range(256)) * (8 << 12)

    def work(client):
        client.send(UPGRADE)
        client.send(data)
        client.end()
        return client.read()

    assert talk(credentials, telling_back, work).endswith(b"|" + data)


def test_plain_answers_and_the_peers_certificate_are_there_as_ever(credentials):
    async def subject(request):
        return Response(body=dict(request.peer_subject)["commonName"].encode())

    def work(client):
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return client.read()

    answer = talk(credentials, subject, work)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.partition(b"\r\n\r\n")[2] == b"kubernetes-admin"


def test_words_that_are_cut_off_are_no_end(credentials):
    heard = []

    async def handler(_request):
        async def tunnel(stream):
            try:
                while data := await stream.read():
                    heard.append(data)
                heard.append("end")
            except ConnectionError:
                heard.append("cut off")

        return Response(status=101, tunnel=tunnel)

    def work(client):
        client.send(UPGRADE + b"some")

    talk(credentials, handler, work)
    assert heard == [b"some", "cut off"]


def test_who_does_not_shake_hands_is_shown_out(credentials):
    async def run():
        pair = server_context(credentials.api_server, credentials.authority)
        server = await asyncio.get_running_loop().create_server(
            lambda: TlsConnection(pair, asyncio.Protocol, 0.01), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            async with asyncio.timeout(10):
                with contextlib.suppress(ConnectionResetError):
                    return await reader.read()
        finally:
            writer.close()
            server.close()

    assert not uvloop.run(run())


def test_what_is_not_tls_is_shown_out(credentials):
    async def run():
        pair = server_context(credentials.api_server, credentials.authority)
        server = await asyncio.get_running_loop().create_server(
            lambda: TlsConnection(pair, asyncio.Protocol, 10), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            async with asyncio.timeout(10):
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
                return await reader.read()
        finally:
            writer.close()
            server.close()

    # An alert of TLS, and the end.
    assert uvloop.run(run())[:1] in (b"\x15", b"")
