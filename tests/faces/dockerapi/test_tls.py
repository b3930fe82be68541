"""The API over TCP: only who shows a certificate of the authority is answered."""

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime

import pytest
from pretended_engine import FACTS, Engine

from sampan.daemon.docker_face import ADDRESS_VARIABLE, FOLDER_VARIABLE, tls_listening
from sampan.engine.contract import InvalidConfiguration
from sampan.faces.dockerapi.server import DockerServer, TlsListening
from sampan.faces.dockerapi.service import DockerApi
from sampan.foundation.pki.cluster import prepare
from sampan.foundation.pki.contexts import client_context
from sampan.foundation.settings import Instance


@pytest.fixture(scope="module")
def credentials(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("pki") / "pki", Instance(), datetime.now(UTC))


async def ping(port, context):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
        return await reader.read()
    finally:
        writer.close()


def asked(tmp_path, credentials, pair):
    async def run():
        listening = TlsListening(
            address="127.0.0.1",
            port=0,
            certificate=credentials.api_server.certificate,
            key=credentials.api_server.key,
            client_authority=credentials.authority,
        )
        server = DockerServer(DockerApi(Engine(), FACTS), tmp_path / "s", listening)
        await server.start()
        try:
            async with asyncio.timeout(10):
                return await ping(server.port, client_context(credentials.authority, pair))
        finally:
            await server.stop()

    return asyncio.run(run())


def test_a_client_with_a_certificate_is_answered(tmp_path, credentials):
    assert asked(tmp_path, credentials, credentials.administrator).endswith(b"OK")


def test_a_client_without_one_is_not(tmp_path, credentials):
    # In TLS 1.3 the client may send before it learns that it was refused.
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        assert asked(tmp_path, credentials, None) == b""


def test_the_socket_is_for_root_and_its_group_and_goes_with_the_server(tmp_path):
    async def run():
        server = DockerServer(DockerApi(Engine(), FACTS), tmp_path / "s")
        await server.start()
        mode = (tmp_path / "s").stat().st_mode & 0o777
        await server.stop()
        return mode

    assert asyncio.run(run()) == 0o660
    assert not (tmp_path / "s").exists()


def test_tcp_is_served_only_where_the_environment_says_so(tmp_path):
    assert tls_listening({}) is None
    found = tls_listening({ADDRESS_VARIABLE: "[::1]:2376", FOLDER_VARIABLE: str(tmp_path)})
    assert (found.address, found.port) == ("::1", 2376)
    assert found.client_authority == tmp_path / "ca.pem"


@pytest.mark.parametrize("address", ["2376", ":2376", "host:x"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(InvalidConfiguration):
        tls_listening({ADDRESS_VARIABLE: address, FOLDER_VARIABLE: "/x"})
    with pytest.raises(InvalidConfiguration):
        tls_listening({ADDRESS_VARIABLE: "127.0.0.1:2376"})
