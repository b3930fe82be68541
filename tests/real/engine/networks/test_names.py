"""Containers of user-defined networks know one another by name; nobody else does."""

import asyncio
import contextlib
import socket
import struct
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.real.engine.networks.own_host import (
    Host,
    address,
    answers,
    identity,
    on_own_host,
    resolve,
)

from sampan.engine.containers.configuration import EndpointSettings
from sampan.host.namespaces import open_socket_in
from sampan.network import dns_messages as dns

pytestmark = pytest.mark.real


def test_names_aliases_and_identifiers_are_answered(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.define("mine")
        web = await host.run("web", "mine", settings=EndpointSettings(aliases=("www", "Shop")))
        asking = await host.run("asking", "mine")
        expected = (0, [IPv4Address(address(web, "mine")).packed])
        short = identity("web").identifier[:12]
        for name in ("web", "www", "shop", "WEB", "web.mine", short):
            assert await resolve(asking.namespace, name) == expected
        assert await resolve(asking.namespace, "web", by_tcp=True) == expected
        assert await resolve(asking.namespace, "web", dns.AAAA) == (0, [])
        reverse = IPv4Address(address(web, "mine")).reverse_pointer
        assert await resolve(asking.namespace, reverse, dns.PTR) == (
            0,
            [dns.encode_name("web.mine")],
        )
        text = Path(asking.resolver_path).read_text()
        assert text.startswith("nameserver 127.0.0.11\n")
        assert "ndots:0" in text

    on_own_host(tmp_path, body)


def test_names_are_known_on_shared_networks_only(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.define("one")
        await host.define("two")
        first = await host.run("first", "one")
        await host.run("second", "two")
        default = await host.run("default")
        for where in (first, default):
            assert await resolve(where.namespace, "second") == (dns.SERVER_FAILURE, [])
        await host.networks.connect("one", identity("second"), EndpointSettings(aliases=("b",)))
        assert (await resolve(first.namespace, "b"))[0] == 0
        assert (await resolve(first.namespace, "second.two"))[0] == dns.SERVER_FAILURE
        await host.networks.rename(identity("second").identifier, "renamed")
        assert (await resolve(first.namespace, "renamed"))[0] == 0
        assert (await resolve(first.namespace, "second"))[0] == dns.SERVER_FAILURE
        await host.networks.release(identity("second").identifier)
        assert (await resolve(first.namespace, "renamed"))[0] == dns.SERVER_FAILURE

    on_own_host(tmp_path, body)


def test_several_with_one_alias_are_all_answered(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.define("mine")
        alike = EndpointSettings(aliases=("web",))
        workers = [await host.run(f"w{number}", "mine", settings=alike) for number in range(3)]
        asking = await host.run("asking", "mine", settings=EndpointSettings(links=("w1:linked",)))
        _, found = await resolve(asking.namespace, "web")
        assert {str(IPv4Address(each)) for each in found} == {
            address(worker, "mine") for worker in workers
        }
        _, found = await resolve(asking.namespace, "linked")
        assert [str(IPv4Address(each)) for each in found] == [address(workers[1], "mine")]

    on_own_host(tmp_path, body)


def test_other_names_are_asked_for_at_the_chosen_servers(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.define("mine")
        await host.define("inside", internal=True)
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 53))
        server.settimeout(2)
        answering = asyncio.create_task(asyncio.to_thread(_answer, server))
        asking = await host.run("asking", "mine", dns=("127.0.0.1",))
        inside = await host.run("inside", "inside", dns=("127.0.0.1",))
        assert await resolve(asking.namespace, "example.com") == (0, [b"\xc0\x00\x02\x07"])
        assert (await resolve(inside.namespace, "example.com"))[0] == dns.SERVER_FAILURE
        await answering

    on_own_host(tmp_path, body)


def _answer(server: socket.socket) -> None:
    """Everything is at 192.0.2.7."""
    answer = dns.Answer(answers=(dns.address_record(IPv4Address("192.0.2.7"), 5),))
    with server, contextlib.suppress(TimeoutError):
        while True:
            message, source = server.recvfrom(1000)
            server.sendto(dns.write_response(dns.read_query(message), answer, 512), source)


def test_a_container_may_have_a_name_server_of_its_own_on_port_53(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.define("mine")
        own = await host.run("own", "mine")
        with open_socket_in(Path(own.namespace), socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("0.0.0.0", 53))
            assert (await resolve(own.namespace, "own"))[0] == 0
        host.serve(own.namespace, 53, "own")
        assert await answers(host.here, address(own, "mine"), 53)

    on_own_host(tmp_path, body)


def test_no_answer_leaves_the_namespace(tmp_path: Path) -> None:
    """A container that forges the source of a query makes the name server flood nobody."""

    async def body(host: Host) -> None:
        await host.define("mine")
        liar, victim = await host.run("liar", "mine"), await host.run("victim", "mine")
        with (
            open_socket_in(Path(victim.namespace), socket.AF_INET, socket.SOCK_RAW, 17) as wire,
            open_socket_in(Path(liar.namespace), socket.AF_INET, socket.SOCK_RAW, 255) as forger,
        ):
            wire.settimeout(0.5)
            question = dns.encode_name("victim") + struct.pack(">HH", dns.A, dns.INTERNET)
            query = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + question
            datagram = struct.pack(">HHHH", 7000, 53, 8 + len(query), 0) + query
            source = socket.inet_aton(address(victim, "mine"))
            target = socket.inet_aton("127.0.0.11")
            head = struct.pack(
                ">BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0, source, target
            )
            forger.sendto(head + datagram, ("127.0.0.11", 0))
            with pytest.raises(TimeoutError):
                wire.recv(2000)

    on_own_host(tmp_path, body)


def test_files_say_what_was_asked_for(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        asked = await host.run(
            "asked",
            dns=("192.0.2.53",),
            dns_search=("example.com",),
            dns_options=("timeout:1",),
            extra_hosts=("db:192.0.2.9", "machine:host-gateway", "six=fd00::9"),
        )
        assert Path(asked.resolver_path).read_text() == (
            "nameserver 192.0.2.53\nsearch example.com\noptions timeout:1\n"
        )
        hosts = Path(asked.hosts_path).read_text().splitlines()
        own = f"{address(asked)}\t{identity('asked').hostname}"
        for line in ("192.0.2.9\tdb", "10.45.0.1\tmachine", "fd00::9\tsix", own):
            assert line in hosts
        assert Path(asked.hostname_path).read_text() == f"{identity('asked').hostname}\n"

    on_own_host(tmp_path, body)


def test_names_are_answered_again_after_a_restart(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.define("mine")
        first, second = await host.run("first", "mine"), await host.run("second", "mine")
        await host.stop()
        await host.start(running=tuple(identity(name).identifier for name in ("first", "second")))
        assert await resolve(first.namespace, "second") == (
            0,
            [IPv4Address(address(second, "mine")).packed],
        )

    on_own_host(tmp_path, body)


def test_files_that_grow_without_end_harm_nobody_else(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.define("mine")
        hostile = await host.run("hostile")
        other = await host.run("other")
        with pytest.raises(OSError, match="No space left"):
            Path(hostile.hosts_path).write_bytes(bytes(1 << 20))
        await host.networks.connect("mine", identity("hostile"), EndpointSettings())
        await host.networks.connect("mine", identity("other"), EndpointSettings())
        assert "nameserver 127.0.0.11" in Path(other.resolver_path).read_text()
        for name in ("hostile", "other"):
            await host.networks.release(identity(name).identifier)
        assert list((host.folder / "sandboxes").iterdir()) == []

    on_own_host(tmp_path, body)
