"""Ports of the machine lead to containers, and to nobody's but theirs."""

import asyncio
import socket
from pathlib import Path

import pytest
from tests.real.engine.networks.own_host import (
    MACHINE,
    OUTSIDE,
    Host,
    address,
    answers,
    fetch,
    identity,
    on_own_host,
    reaches,
)

from sampan.engine.containers.configuration import EndpointSettings, PortBinding
from sampan.engine.contract import EngineError
from sampan.host.namespaces import open_socket_in
from sampan.host.netlink import Netlink
from sampan.host.nftables import Nftables
from sampan.host.sysctl import set_sysctl

pytestmark = pytest.mark.real


def _at(port: str = "", host: str = "") -> PortBinding:
    return PortBinding(host_address=host, host_port=port)


def test_a_port_listens_on_the_loopback_unless_told_otherwise(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        web = await host.run("web", ports={"80/tcp": _at("8080")})
        assert (web.ports["80/tcp"] or ())[0] == _at("8080", "127.0.0.1")
        host.serve(web.namespace, 80, "web")
        assert await fetch(host.here, "127.0.0.1", 8080) == "web 10.45.0.1"
        other = await host.run("other")
        with host.neighbour() as outside:
            assert not await reaches(outside, str(MACHINE.ip), 8080)
            assert not await reaches(host.here, str(MACHINE.ip), 8080)
            assert not await reaches(other.namespace, "10.45.0.1", 8080)

    on_own_host(tmp_path, body)


@pytest.mark.parametrize("filtered", ["0", "1"])
def test_a_port_on_every_address_is_reached_from_everywhere(tmp_path: Path, filtered: str) -> None:
    """Whether or not the machine lets bridged frames pass its packet rules."""

    async def body(host: Host) -> None:
        set_sysctl("net/bridge/bridge-nf-call-iptables", filtered)
        await host.define("mine")
        web = await host.run("web", ports={"80/tcp": _at("8080", "0.0.0.0")})
        beside = await host.run("beside")
        elsewhere = await host.run("elsewhere", "mine")
        host.serve(web.namespace, 80, "web")
        with host.neighbour() as outside:
            assert await fetch(outside, str(MACHINE.ip), 8080) == f"web {OUTSIDE.ip}"
            for target in ("127.0.0.1", "10.45.0.1", str(MACHINE.ip)):
                assert await answers(host.here, target, 8080)
            for where in (web, beside, elsewhere):
                assert await fetch(where.namespace, str(MACHINE.ip), 8080) == "web 10.45.0.1"
        await host.networks.release(identity("web").identifier)
        assert not await reaches(host.here, "127.0.0.1", 8080)

    on_own_host(tmp_path, body)


def test_one_address_alone(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        with host.neighbour() as outside:
            web = await host.run("web", ports={"80/tcp": _at("8080", str(MACHINE.ip))})
            host.serve(web.namespace, 80, "web")
            assert await answers(outside, str(MACHINE.ip), 8080)
            assert not await reaches(host.here, "127.0.0.1", 8080)

    on_own_host(tmp_path, body)


def test_datagrams_find_their_way_and_back(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        names = await host.run("names", ports={"53/udp": _at("5353", "0.0.0.0")})
        with (
            host.neighbour() as outside,
            open_socket_in(Path(names.namespace), socket.AF_INET, socket.SOCK_DGRAM) as server,
            open_socket_in(outside, socket.AF_INET, socket.SOCK_DGRAM) as far,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near,
        ):
            server.bind(("0.0.0.0", 53))
            server.settimeout(2)
            for client, target in ((far, str(MACHINE.ip)), (near, "127.0.0.1")):
                client.settimeout(2)
                client.sendto(b"ask", (target, 5353))
                server.sendto(b"answer", server.recvfrom(10)[1])
                assert client.recvfrom(10) == (b"answer", (target, 5353))

    on_own_host(tmp_path, body)


def test_free_ports_ranges_and_all_that_is_exposed(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        first = await host.run("first", ports={"80/tcp": _at("9000-9001"), "81/tcp": _at()})
        second = await host.run("second", ports={"80/tcp": _at("9000-9001")})
        assert (first.ports["80/tcp"] or ())[0].host_port == "9000"
        assert (second.ports["80/tcp"] or ())[0].host_port == "9001"
        free = int((first.ports["81/tcp"] or ())[0].host_port)
        host.serve(first.namespace, 81, "first")
        assert await answers(host.here, "127.0.0.1", free)
        with pytest.raises(EngineError, match=r"Bind for 127.0.0.1:9001 failed: port is already"):
            await host.run("third", ports={"80/tcp": _at("9000-9001")})
        request = {"exposed_ports": ("80/tcp", "53/udp"), "publish_all_ports": True}
        everything = await host.run_request("everything", **request)
        assert all(len(places or ()) == 2 for places in everything.ports.values())
        assert set(everything.ports) == {"80/tcp", "53/udp"}

    on_own_host(tmp_path, body)


def test_a_taken_port_leaves_nothing_behind(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        with socket.create_server(("127.0.0.1", 8080)):
            with pytest.raises(EngineError) as refusal:
                await host.run("web", ports={"80/tcp": _at("8080")})
            assert "driver failed programming external connectivity on endpoint web (" in str(
                refusal.value
            )
            assert "Bind for 127.0.0.1:8080 failed: port is already allocated" in str(refusal.value)
            assert host.networks.inspect("bridge").containers == {}
            assert list((host.folder / "sandboxes").glob("*")) == []
        web = await host.run("web", ports={"80/tcp": _at("8080")})
        assert address(web) == "10.45.0.2"
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", 8080)).close()

    on_own_host(tmp_path, body)


def test_ports_follow_the_network_that_leads_outside(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.define("one")
        await host.define("two")
        web = await host.run("web", "two", ports={"80/tcp": _at("8080")})
        host.serve(web.namespace, 80, "web")
        container = identity("web").identifier
        await host.networks.connect("one", identity("web"), EndpointSettings())
        assert await answers(host.here, "127.0.0.1", 8080)
        await host.networks.disconnect("two", container)
        assert await answers(host.here, "127.0.0.1", 8080)

    on_own_host(tmp_path, body)


def test_ports_are_published_while_a_network_leads_outside(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.define("inside", internal=True)
        await host.define("outward")
        web = await host.run("web", "inside", ports={"80/tcp": _at("8080")})
        host.serve(web.namespace, 80, "web")
        assert web.ports == {"80/tcp": None}
        web_identity = identity("web")
        with socket.create_server(("127.0.0.1", 8080)):
            with pytest.raises(EngineError, match="port is already allocated"):
                await host.networks.connect("outward", web_identity, EndpointSettings())
            assert host.networks.inspect("outward").containers == {}
        await host.networks.connect("outward", web_identity, EndpointSettings())
        assert await answers(host.here, "127.0.0.1", 8080)
        await host.networks.disconnect("outward", web_identity.identifier)
        assert not await reaches(host.here, "127.0.0.1", 8080)
        socket.create_server(("127.0.0.1", 8080)).close()

    on_own_host(tmp_path, body)


def test_rules_that_somebody_flushed_are_back(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        web = await host.run("web", ports={"80/tcp": _at("8080", "0.0.0.0")})
        host.serve(web.namespace, 80, "web")
        with Nftables() as nftables:
            nftables.run("flush ruleset")
            await host.until(lambda: "8080" in nftables.run("list ruleset"))
            assert await answers(host.here, "127.0.0.1", 8080)
            nftables.run("flush ruleset")
            other = await host.run("other")
            host.serve(other.namespace, 80, "other")
            assert await answers(web.namespace, address(other), 80)

    on_own_host(tmp_path, body)


def test_ports_are_there_while_networks_come_and_go(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        web = await host.run("web", ports={"80/tcp": _at("8080")})
        host.serve(web.namespace, 80, "web")

        async def come_and_go() -> None:
            for number in range(15):
                await host.define(f"other-{number}")
                await host.networks.remove(f"other-{number}")

        changing = asyncio.ensure_future(come_and_go())
        asked = 0
        while not changing.done():
            assert await fetch(host.here, "127.0.0.1", 8080) == "web 10.45.0.1"
            asked += 1
        await changing
        assert asked > 15

    on_own_host(tmp_path, body)


def test_the_next_engine_takes_over_what_it_finds(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        identifier = await host.define("mine")
        web = await host.run("web", "mine", ports={"80/tcp": _at("8080")})
        await host.run("ended", "mine", ports={"80/tcp": _at("8081")})
        host.serve(web.namespace, 80, "web")
        await host.stop()
        assert await answers(host.here, "127.0.0.1", 8080)
        await host.start(running=(identity("web").identifier,))
        assert host.networks.inspect("mine").identifier == identifier
        assert host.networks.sandbox(identity("web").identifier) == web
        assert host.networks.sandbox(identity("ended").identifier) is None
        assert len(list((host.folder / "pins").iterdir())) == 1
        assert await answers(host.here, "127.0.0.1", 8080)
        with pytest.raises(EngineError, match="port is already allocated"):
            await host.run("third", "mine", ports={"80/tcp": _at("8080")})
        fresh = await host.run("fresh", "mine", ports={"80/tcp": _at("8081")})
        assert address(fresh, "mine") != address(web, "mine")
        assert await answers(fresh.namespace, address(web, "mine"), 80)

    on_own_host(tmp_path, body)


def test_what_an_ended_container_left_is_gone_at_the_next_start(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        web = await host.run("web", ports={"80/tcp": _at("8080")})
        await host.stop()
        await host.start()
        assert not Path(web.namespace).exists()
        assert list((host.folder / "sandboxes").glob("*")) == []
        with Nftables() as nftables, Netlink() as machine:
            assert "spt-containers" not in nftables.run("list ruleset")
            assert machine.link("spt-bridge") is None

    on_own_host(tmp_path, body)


def test_datagrams_go_to_the_container_that_took_anothers_place(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        place = {"53/udp": _at("5353")}
        first = await host.run("first", ports=place)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            client.sendto(b"ask", ("127.0.0.1", 5353))
            await host.run("between")
            await host.networks.release(identity("first").identifier)
            await host.run("elsewhere")
            second = await host.run("second", ports=place)
            assert address(second) != address(first)
            where = Path(second.namespace)
            with open_socket_in(where, socket.AF_INET, socket.SOCK_DGRAM) as server:
                server.bind(("0.0.0.0", 53))
                server.settimeout(2)
                client.sendto(b"again", ("127.0.0.1", 5353))
                assert server.recvfrom(10)[0] == b"again"

    on_own_host(tmp_path, body)
