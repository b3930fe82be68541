"""Ports of the machine's IPv6 addresses lead to containers, whichever version those speak."""

import asyncio
import socket
from pathlib import Path

import pytest
from tests.real.engine.networks.own_host import (
    MACHINE,
    MACHINE6,
    OUTSIDE6,
    Host,
    answers,
    fetch,
    identity,
    on_own_host,
    reaches,
)

from sampan.engine.containers.configuration import PortBinding
from sampan.engine.contract import EngineError
from sampan.engine.networks.contract import AddressManagement, AddressPool
from sampan.host.namespaces import open_socket_in
from sampan.host.sysctl import set_sysctl

pytestmark = pytest.mark.real

SUBNET = AddressManagement(configuration=(AddressPool(subnet="fd00:5::/64"),))


def _at(port: str = "", host: str = "") -> PortBinding:
    return PortBinding(host_address=host, host_port=port)


def test_both_loopbacks_lead_to_a_container_with_ipv4_alone(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        web = await host.run("web", ports={"80/tcp": _at("8080")})
        assert web.ports == {"80/tcp": (_at("8080", "127.0.0.1"), _at("8080", "::1"))}
        host.serve(web.namespace, 80, "web")
        assert await fetch(host.here, "127.0.0.1", 8080) == "web 10.45.0.1"
        assert await fetch(host.here, "::1", 8080) == "web 10.45.0.1"
        await host.networks.release(identity("web").identifier)
        assert not await reaches(host.here, "::1", 8080)

    on_own_host(tmp_path, body)


def test_any_port_is_the_same_one_for_both_versions(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        web = await host.run("web", ports={"80/tcp": _at()})
        first, second = web.ports["80/tcp"] or ()
        assert (first.host_address, second.host_address) == ("127.0.0.1", "::1")
        assert first.host_port == second.host_port

    on_own_host(tmp_path, body)


def test_a_machine_without_ipv6_publishes_on_ipv4_alone(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        set_sysctl("net/ipv6/conf/all/disable_ipv6", "1")
        web = await host.run("web", ports={"80/tcp": _at("8080")})
        assert web.ports == {"80/tcp": (_at("8080", "127.0.0.1"),)}
        with pytest.raises(EngineError, match=r"on endpoint asked .*Cannot assign"):
            await host.run("asked", ports={"80/tcp": _at("8081", "::1")})

    on_own_host(tmp_path, body)


@pytest.mark.parametrize("filtered", ["0", "1"])
def test_every_address_of_ipv6(tmp_path: Path, filtered: str) -> None:
    """From beside the machine, from itself, and from containers; whether or not the machine lets
    bridged frames pass its packet rules."""

    async def body(host: Host) -> None:
        set_sysctl("net/bridge/bridge-nf-call-ip6tables", filtered)
        await host.define("six", enable_ipv6=True, ipam=SUBNET)
        web = await host.run("web", "six", ports={"80/tcp": _at("8080", "::")})
        assert web.ports == {"80/tcp": (_at("8080", "::"),)}
        beside = await host.run("beside", "six")
        host.serve(web.namespace, 80, "web", "::")
        with host.neighbour() as outside:
            assert await fetch(outside, str(MACHINE6.ip), 8080) == f"web {OUTSIDE6.ip}"
            assert await fetch(host.here, str(MACHINE6.ip), 8080) == f"web {MACHINE6.ip}"
            assert await fetch(host.here, "::1", 8080) == "web fd00:5::1"
            for where in (web, beside):
                assert await fetch(where.namespace, str(MACHINE6.ip), 8080) == "web fd00:5::1"
            assert not await reaches(outside, str(MACHINE.ip), 8080)
            assert not await reaches(outside, "fd00:5::2", 80)

    on_own_host(tmp_path, body)


def test_one_address_of_ipv6_alone(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        with host.neighbour() as outside:
            place = {"80/tcp": _at("8080", str(MACHINE6.ip))}
            await host.define("six", enable_ipv6=True, ipam=SUBNET)
            web = await host.run("web", "six", ports=place)
            host.serve(web.namespace, 80, "web", "::")
            assert await answers(outside, str(MACHINE6.ip), 8080)
            assert not await reaches(host.here, "::1", 8080)
            with pytest.raises(EngineError, match=r"Bind for \[2001:db8::1\]:8080 failed"):
                await host.run("other", "six", ports=place)

    on_own_host(tmp_path, body)


def test_each_direction_of_a_passed_on_connection_ends_by_itself(tmp_path: Path) -> None:
    """A client that ends its input still hears all that is said to it, however much it is."""

    async def body(host: Host) -> None:
        web = await host.run("web", ports={"80/tcp": _at("8080", "::1")})
        question, answer = b"q" * 3_000_000, b"a" * 5_000_000
        server = open_socket_in(Path(web.namespace), socket.AF_INET, socket.SOCK_STREAM)
        server.bind(("0.0.0.0", 80))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                heard = _all_of(connection)
                assert heard == question
                connection.sendall(answer)

        def ask() -> bytes:
            with socket.create_connection(("::1", 8080), timeout=5) as client:
                client.sendall(question)
                client.shutdown(socket.SHUT_WR)
                return _all_of(client)

        serving = asyncio.create_task(asyncio.to_thread(serve))
        assert await asyncio.to_thread(ask) == answer
        await serving
        server.close()

    on_own_host(tmp_path, body)


def _all_of(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_datagrams_are_passed_on_and_answered(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        names = await host.run("names", ports={"53/udp": _at("5353")})
        server = open_socket_in(Path(names.namespace), socket.AF_INET, socket.SOCK_DGRAM)
        with (
            server,
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one,
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other,
        ):
            server.bind(("0.0.0.0", 53))
            server.settimeout(2)

            def ask(client: socket.socket, text: bytes) -> bytes:
                client.settimeout(2)
                client.sendto(text, ("::1", 5353))
                heard, source = server.recvfrom(100)
                server.sendto(heard.upper(), source)
                return client.recvfrom(100)[0]

            for client, text in ((one, b"one"), (other, b"other"), (one, b"again")):
                assert await asyncio.to_thread(ask, client, text) == text.upper()

    on_own_host(tmp_path, body)


def test_the_next_engine_passes_on_again(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.define("six", enable_ipv6=True, ipam=SUBNET)
        web = await host.run("web", "six", ports={"80/tcp": _at("8080", "::")})
        host.serve(web.namespace, 80, "web", "::")
        await host.stop()
        with host.neighbour() as outside:
            assert await answers(outside, str(MACHINE6.ip), 8080)
            await host.start(running=(identity("web").identifier,))
            assert await answers(outside, str(MACHINE6.ip), 8080)
        assert await answers(host.here, "::1", 8080)

    on_own_host(tmp_path, body)


def test_sctp_is_refused_where_the_kernel_has_none(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        try:
            socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132).close()
        except OSError:
            with pytest.raises(EngineError, match="the kernel of this machine has no SCTP"):
                await host.run("web", ports={"80/sctp": _at("8080")})
        else:
            web = await host.run("web", ports={"80/sctp": _at("8080", "127.0.0.1")})
            assert web.ports == {"80/sctp": (_at("8080", "127.0.0.1"),)}

    on_own_host(tmp_path, body)
