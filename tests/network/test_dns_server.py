"""The server on sockets of the loopback, with a resolver of the world beside it."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Any

from tests.network.dns_client import Response, query, read_response

from sampan.network import dns_messages as dns
from sampan.network.contract import DnsRecords
from sampan.network.dns_control import DnsSettings, NamesChange, encode_frame
from sampan.network.dns_server import Server, serve_dns
from sampan.network.dns_upstream import Resolvers, Upstream

NAME = "web.shop.svc.cluster.local"
SETTINGS = DnsSettings(
    domain="cluster.local",
    listen_address=IPv4Address("127.0.0.1"),
    pod_range=IPv4Network("10.42.0.0/16"),
    service_range=IPv4Network("10.43.0.0/16"),
    node_range=IPv4Network("10.44.0.0/24"),
    resolver_files=(),
)


def _names(*names: str) -> DnsRecords:
    return DnsRecords(addresses={name: (IPv4Address("10.43.0.20"),) for name in names})


class Served:
    """A server that runs, and a client of it."""

    def __init__(self, address: tuple[str, int], agent: socket.socket) -> None:
        self.address = address
        self.agent = agent

    async def ask(self, name: str, kind: int = dns.A) -> Response:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(self.address)
            await loop.sock_sendall(client, query(name, kind))
            async with asyncio.timeout(5):
                return read_response(await loop.sock_recv(client, 4096))

    async def ask_by_tcp(self, name: str) -> Response:
        reader, writer = await asyncio.open_connection(*self.address)
        message = query(name, dns.A)
        writer.write(struct.pack(">H", len(message)) + message)
        async with asyncio.timeout(5):
            (length,) = struct.unpack(">H", await reader.readexactly(2))
            response = read_response(await reader.readexactly(length))
        writer.close()
        await writer.wait_closed()
        return response

    async def publish(self, change: NamesChange) -> None:
        await asyncio.get_running_loop().sock_sendall(self.agent, encode_frame(change))


@contextlib.asynccontextmanager
async def _serving() -> AsyncIterator[Served]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.create_server(("127.0.0.1", 0)) as tcp,
    ):
        address = tcp.getsockname()
        udp.bind(address)
        agent, control = socket.socketpair()
        agent.setblocking(False)
        agent.send(encode_frame(SETTINGS) + encode_frame(NamesChange(_names(NAME))))
        task = asyncio.create_task(serve_dns(udp, tcp, control))
        yield Served(address, agent)
        agent.close()
        async with asyncio.timeout(5):
            await task


def test_names_are_answered_by_udp_and_tcp_until_the_agent_goes() -> None:
    async def scenario() -> None:
        async with _serving() as served:
            for response in (await served.ask(NAME), await served.ask_by_tcp(NAME)):
                assert [record.data for record in response.answers] == [bytes((10, 43, 0, 20))]
                assert response.authoritative

    asyncio.run(scenario())


def test_changes_of_names_arrive() -> None:
    async def scenario() -> None:
        async with _serving() as served:
            assert (await served.ask("new.shop.svc.cluster.local")).code == dns.NAME_ERROR
            change = NamesChange(_names("new.shop.svc.cluster.local"), (NAME,))
            await served.publish(change)
            async with asyncio.timeout(5):
                while (await served.ask(NAME)).code != dns.NAME_ERROR:
                    pass
            assert (await served.ask("new.shop.svc.cluster.local")).code == dns.NO_ERROR

    asyncio.run(scenario())


def test_without_a_resolver_the_worlds_names_fail() -> None:
    async def scenario() -> None:
        async with _serving() as served:
            assert (await served.ask("example.com")).code == dns.SERVER_FAILURE
            assert (await served.ask_by_tcp("example.com")).code == dns.SERVER_FAILURE

    asyncio.run(scenario())


def test_only_those_inside_are_answered() -> None:
    server = Server(SETTINGS, Upstream(Resolvers((), IPv4Address("127.0.0.1"))))
    inside = ("127.0.0.1", "10.42.7.7", "10.44.0.3", "10.43.0.10")
    assert [server.serves(source) for source in inside] == [True] * 4
    assert [server.serves(source) for source in ("10.45.0.1", "192.168.1.9")] == [False] * 2


def test_resolvers_are_read_from_the_first_file_with_one_outside(tmp_path: Path) -> None:
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("# a stub\nnameserver 127.0.0.53\noptions edns0\n")
    real.write_text("nameserver 10.42.0.1\nnameserver fd00::1\nnameserver 192.0.2.1\nnameserver\n")
    own = IPv4Address("10.42.0.1")
    servers = Resolvers((stub, real), own).servers()
    assert servers == (IPv6Address("fd00::1"), IPv4Address("192.0.2.1"))
    assert Resolvers((stub, tmp_path / "none"), own).servers() == (IPv4Address("127.0.0.53"),)
    assert Resolvers((tmp_path / "none",), own).servers() == ()


def test_changed_resolver_files_are_read_again(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 192.0.2.1\n")
    resolvers = Resolvers((file,), IPv4Address("10.42.0.1"))
    assert resolvers.servers() == (IPv4Address("192.0.2.1"),)
    file.write_text("nameserver 192.0.2.2\n")
    os.utime(file, (1, 1))
    assert resolvers.servers() == (IPv4Address("192.0.2.2"),)


class FakeResolver(asyncio.DatagramProtocol):
    """Answers what it is asked after `mangle` has had its way with the answer."""

    def __init__(self, mangle: Callable[[bytes], list[bytes]]) -> None:
        self._mangle = mangle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        record = dns.address_record(IPv4Address("192.0.2.80"), 60)
        answer = dns.Answer(answers=(record,), authoritative=False)
        for message in self._mangle(dns.write_response(dns.read_query(data), answer, 512)):
            self._transport.sendto(message, addr)


def _asked(tmp_path: Path, mangle: Callable[[bytes], list[bytes]]) -> Response:
    async def scenario() -> Response:
        file = tmp_path / "resolv.conf"
        file.write_text("nameserver 127.0.0.1\n")
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: FakeResolver(mangle), local_addr=("127.0.0.1", 0)
        )
        port = transport.get_extra_info("sockname")[1]
        upstream = Upstream(Resolvers((file,), IPv4Address("10.42.0.1")), port)
        message = query("example.com", dns.A, identifier=99)
        said = await upstream.ask(message, dns.read_query(message), by_tcp=False)
        transport.close()
        return read_response(said)

    return asyncio.run(scenario())


def test_a_resolvers_answer_comes_back_under_the_clients_identifier(tmp_path: Path) -> None:
    response = _asked(tmp_path, lambda message: [message])
    assert response.identifier == 99
    assert [record.data for record in response.answers] == [bytes((192, 0, 2, 80))]


def test_forged_answers_are_passed_over(tmp_path: Path) -> None:
    """Another identifier, another question, a query instead of a response, and rubbish."""

    def forge(message: bytes) -> list[bytes]:
        wrong_identifier = bytes((message[0] ^ 1,)) + message[1:]
        wrong_question = message[:13] + b"x" + message[14:]
        no_response = message[:2] + b"\x01" + message[3:]
        return [b"", wrong_identifier, wrong_question, no_response, message]

    response = _asked(tmp_path, forge)
    assert [record.data for record in response.answers] == [bytes((192, 0, 2, 80))]


def test_no_resolver_listens(tmp_path: Path) -> None:
    async def scenario() -> Response:
        file = tmp_path / "resolv.conf"
        file.write_text("nameserver 127.0.0.1\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        upstream = Upstream(Resolvers((file,), IPv4Address("10.42.0.1")), port)
        message = query("example.com", dns.A)
        return read_response(await upstream.ask(message, dns.read_query(message), by_tcp=False))

    assert asyncio.run(scenario()).code == dns.SERVER_FAILURE
