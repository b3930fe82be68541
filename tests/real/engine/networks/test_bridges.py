"""Containers on bridges reach whom they should, and nobody else."""

import asyncio
import socket
import subprocess
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest
from tests.real.engine.networks.own_host import (
    MACHINE,
    OUTSIDE,
    OUTSIDE6,
    Host,
    address,
    answers,
    fetch,
    identity,
    loopback_by_wire,
    on_own_host,
    reaches,
)

from sampan.engine.containers.configuration import EndpointAddresses, EndpointSettings, PortBinding
from sampan.engine.contract import Conflict, Forbidden, InvalidConfiguration, NotFound
from sampan.engine.networks.contract import AddressManagement, AddressPool
from sampan.host.namespaces import open_socket_in
from sampan.host.netlink import Netlink
from sampan.host.nftables import Nftables
from sampan.network.bridges.removal import remove_bridges
from sampan.network.ruleset import Ruleset

pytestmark = pytest.mark.real


def _pools(*pools: AddressPool) -> AddressManagement:
    return AddressManagement(configuration=pools)


def test_containers_of_one_bridge_reach_one_another_and_the_world(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        first, second = await host.run("first"), await host.run("second")
        assert (address(first), address(second)) == ("10.45.0.2", "10.45.0.3")
        host.serve(second.namespace, 80, "second")
        assert await fetch(first.namespace, address(second), 80) == "second 10.45.0.2"
        assert await fetch(host.here, address(second), 80) == "second 10.45.0.1"
        with host.neighbour() as outside:
            host.serve(outside, 80, "outside")
            said = await fetch(first.namespace, str(OUTSIDE.ip), 80)
            assert said == f"outside {MACHINE.ip}"
            assert not await reaches(outside, address(second), 80)

    on_own_host(tmp_path, body)


def test_bridges_are_apart(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.define("one")
        await host.define("two")
        default = await host.run("default")
        first, second = await host.run("first", "one"), await host.run("second", "two")
        assert address(first, "one").startswith("10.45.16.")
        host.serve(second.namespace, 80, "second")
        for other in (default, first):
            assert not await reaches(other.namespace, address(second, "two"), 80)

    on_own_host(tmp_path, body)


def test_an_internal_network_reaches_the_machine_alone(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.define("inside", internal=True)
        first, second = await host.run("first", "inside"), await host.run("second", "inside")
        host.serve(second.namespace, 80, "second")
        assert await answers(first.namespace, address(second, "inside"), 80)
        assert await answers(host.here, address(second, "inside"), 80)
        with host.neighbour() as outside:
            host.serve(outside, 80, "outside")
            with Netlink(Path(first.namespace)) as inside:
                gateway = host.networks.inspect("inside").ipam.configuration[0].gateway
                route = IPv4Network("0.0.0.0/0")
                inside.add_route(route, gateway=IPv4Interface(gateway).ip)
            assert not await reaches(first.namespace, str(OUTSIDE.ip), 80)

    on_own_host(tmp_path, body)


def test_without_communication_containers_reach_only_published_ports(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        options = {"com.docker.network.bridge.enable_icc": "false"}
        await host.define("apart", options=options)
        first, second = await host.run("first", "apart"), await host.run("second", "apart")
        host.serve(second.namespace, 80, "second")
        target = address(second, "apart")
        assert not await reaches(first.namespace, target, 80)
        assert await answers(host.here, target, 80)
        gateway = IPv4Interface(first.endpoints["apart"].gateway).ip
        with Netlink(Path(first.namespace)) as inside:
            inside.add_route(IPv4Network(f"{target}/32"), gateway=gateway)
        assert not await reaches(first.namespace, target, 80)

    on_own_host(tmp_path, body)


def test_without_masquerade_the_world_sees_the_containers_address(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        options = {
            "com.docker.network.bridge.enable_ip_masquerade": "false",
            "com.docker.network.bridge.name": "spt-plain",
            "com.docker.network.driver.mtu": "1400",
        }
        await host.define("plain", options=options)
        first = await host.run("first", "plain")
        with Netlink() as machine, Netlink(Path(first.namespace)) as inside:
            bridge, interface = machine.link("spt-plain"), inside.link("eth0")
        assert bridge is not None
        assert interface is not None
        assert (bridge.mtu, interface.mtu) == (1400, 1400)
        with host.neighbour() as outside:
            host.serve(outside, 80, "outside")
            said = await fetch(first.namespace, str(OUTSIDE.ip), 80)
            assert said == f"outside {address(first, 'plain')}"

    on_own_host(tmp_path, body)


def test_chosen_subnets_and_addresses(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        pool = AddressPool(
            subnet="172.28.0.0/16",
            ip_range="172.28.5.0/24",
            gateway="172.28.5.254",
            auxiliary_addresses={"router": "172.28.5.0"},
        )
        await host.define("chosen", ipam=_pools(pool))
        first = await host.run("first", "chosen")
        assert address(first, "chosen") == "172.28.5.1"
        fixed = EndpointSettings(
            ipam_configuration=EndpointAddresses(ipv4_address="172.28.9.9"),
            mac_address="02:11:22:33:44:55",
        )
        second = await host.run("second", "chosen", settings=fixed)
        shown = second.endpoints["chosen"]
        assert (shown.ip_address, shown.ip_prefix_length) == ("172.28.9.9", 16)
        assert (shown.gateway, shown.mac_address) == ("172.28.5.254", "02:11:22:33:44:55")
        host.serve(second.namespace, 80, "second")
        assert await fetch(first.namespace, "172.28.9.9", 80) == "second 172.28.5.1"
        with pytest.raises(Forbidden, match="Address already in use"):
            await host.run("third", "chosen", settings=fixed)
        with pytest.raises(Forbidden, match="Pool overlaps"):
            await host.define("overlapping", ipam=_pools(AddressPool(subnet="172.28.7.0/24")))
        with pytest.raises(InvalidConfiguration, match="user configured subnets"):
            await host.run("fourth", settings=fixed)
        await host.networks.release(identity("first").identifier)
        assert address(await host.run("fifth", "chosen"), "chosen") == "172.28.5.1"

    on_own_host(tmp_path, body)


def test_six_is_spoken_where_it_is_enabled(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        six = AddressPool(subnet="fd00:5::/64")
        await host.define("six", enable_ipv6=True, ipam=_pools(six))
        first, second = await host.run("first", "six"), await host.run("second", "six")
        shown = second.endpoints["six"]
        assert (shown.global_ipv6_address, shown.ipv6_gateway) == ("fd00:5::3", "fd00:5::1")
        assert shown.ip_address
        with (
            open_socket_in(Path(second.namespace), socket.AF_INET6, socket.SOCK_DGRAM) as target,
            open_socket_in(Path(first.namespace), socket.AF_INET6, socket.SOCK_DGRAM) as source,
        ):
            target.bind((shown.global_ipv6_address, 7000))
            target.settimeout(2)
            source.sendto(b"six", (shown.global_ipv6_address, 7000))
            assert target.recvfrom(10)[1][0] == "fd00:5::2"

    on_own_host(tmp_path, body)


def test_a_routed_network_is_reached_by_its_own_addresses(tmp_path: Path) -> None:
    """Only its published ports are; of the other version of IP, the machine's port leads there."""

    async def body(host: Host) -> None:
        six = AddressPool(subnet="fd00:5::/64")
        options = {"com.docker.network.bridge.gateway_mode_ipv6": "routed"}
        await host.define("routed", enable_ipv6=True, ipam=_pools(six), options=options)
        place = {"80/tcp": PortBinding(host_port="8080")}
        web = await host.run("web", "routed", ports=place)
        assert web.ports["80/tcp"] == (
            PortBinding(host_address="127.0.0.1", host_port="8080"),
            PortBinding(host_address="::"),
        )
        for port in (80, 81):
            host.serve(web.namespace, port, "web", "::")
        with host.neighbour() as outside:
            assert await fetch(outside, "fd00:5::2", 80) == f"web {OUTSIDE6.ip}"
            assert not await reaches(outside, "fd00:5::2", 81)
            host.serve(outside, 80, "outside", "::")
            assert await fetch(web.namespace, str(OUTSIDE6.ip), 80) == "outside fd00:5::2"
            assert await answers(host.here, "127.0.0.1", 8080)
            await host.networks.release(identity("web").identifier)
            assert not await reaches(outside, "fd00:5::2", 80)

    on_own_host(tmp_path, body)


def test_a_network_without_protection_is_reached_from_outside_alone(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        options = {
            "com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected",
            "com.docker.network.host_ipv4": str(MACHINE.ip),
        }
        await host.define("open", options=options)
        web, other = await host.run("web", "open"), await host.run("other")
        host.serve(web.namespace, 80, "web")
        with host.neighbour() as outside:
            assert await answers(outside, address(web, "open"), 80)
            assert not await reaches(other.namespace, address(web, "open"), 80)
            host.serve(outside, 80, "outside")
            assert await fetch(web.namespace, str(OUTSIDE.ip), 80) == f"outside {MACHINE.ip}"

    on_own_host(tmp_path, body)


def test_an_isolated_network_has_no_address_on_the_machine(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        options = {
            "com.docker.network.bridge.gateway_mode_ipv4": "isolated",
            "com.docker.network.bridge.name": "spt-alone",
        }
        with pytest.raises(InvalidConfiguration, match="for an internal network"):
            await host.define("alone", options=options)
        await host.define("alone", options=options, internal=True)
        first, second = await host.run("first", "alone"), await host.run("second", "alone")
        host.serve(second.namespace, 80, "second")
        assert await answers(first.namespace, address(second, "alone"), 80)
        assert not await reaches(host.here, address(second, "alone"), 80)
        assert "inet " not in await asyncio.to_thread(_addresses, "spt-alone")

    on_own_host(tmp_path, body)


def _addresses(device: str) -> str:
    command = ["ip", "-4", "address", "show", "dev", device]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout


def test_a_container_cannot_take_anothers_address(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        liar, victim = await host.run("liar"), await host.run("victim")
        target = await host.run("target")

        def arrives(source: str) -> bool:
            with (
                open_socket_in(Path(target.namespace), socket.AF_INET, socket.SOCK_DGRAM) as to,
                open_socket_in(Path(liar.namespace), socket.AF_INET, socket.SOCK_DGRAM) as by,
            ):
                to.bind((address(target), 7000))
                to.settimeout(0.3)
                by.bind((source, 0))
                by.sendto(b"hello", (address(target), 7000))
                try:
                    return bool(to.recv(10))
                except TimeoutError:
                    return False

        with Netlink(Path(liar.namespace)) as inside:
            inside.add_address("eth0", IPv4Interface(f"{address(victim)}/32"))
        assert arrives(address(liar))
        assert not arrives(address(victim))
        _announce(Path(liar.namespace), address(victim), liar.endpoints["bridge"].mac_address)
        with Netlink(Path(target.namespace)) as inside:
            known = {str(each.address): each.hardware_address for each in inside.neighbours("eth0")}
        assert known.get(address(victim)) != liar.endpoints["bridge"].mac_address
        with Nftables() as nftables:
            nftables.run("flush chain bridge spt-containers guard")
            assert arrives(address(victim))

    on_own_host(tmp_path, body)


def _announce(namespace: Path, claimed: str, hardware_address: str) -> None:
    """A gratuitous ARP reply to everybody."""
    own = bytes.fromhex(hardware_address.replace(":", ""))
    claim = IPv4Interface(claimed).ip.packed
    frame = b"\xff" * 6 + own + b"\x08\x06" + bytes.fromhex("0001080006040002")
    frame += own + claim + b"\xff" * 6 + claim
    kind = socket.AF_PACKET, socket.SOCK_RAW
    with open_socket_in(namespace, *kind) as wire:
        wire.bind(("eth0", 0))
        wire.send(frame)


def test_loopback_is_out_of_containers_and_neighbours_reach(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        liar = await host.run("liar")
        host.serve(host.here, 9100, "secret", "127.0.0.1")
        assert await answers(host.here, "127.0.0.1", 9100)
        with host.neighbour() as outside:
            for where, gateway, device in (
                (Path(liar.namespace), "10.45.0.1", "eth0"),
                (outside, str(MACHINE.ip), "lan"),
            ):
                loopback_by_wire(where, gateway, device)
                assert not await reaches(where, "127.0.0.1", 9100)
        with Nftables() as nftables:
            nftables.run("flush chain inet spt-containers guard")
            assert await answers(liar.namespace, "127.0.0.1", 9100)

    on_own_host(tmp_path, body)


def test_another_engine_that_drops_what_it_does_not_know(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        first, second = await host.run("first"), await host.run("second")
        host.serve(second.namespace, 80, "second")
        with host.neighbour() as outside, Nftables() as nftables:
            host.serve(outside, 80, "outside")
            nftables.run(
                "table ip filter {\n chain FORWARD {\n"
                "type filter hook forward priority 0; policy drop;\n}\n}"
            )
            await host.until(lambda: "accept" in nftables.run("list chain ip filter FORWARD"))
            assert await answers(first.namespace, str(OUTSIDE.ip), 80)
            assert await answers(first.namespace, address(second), 80)

    on_own_host(tmp_path, body)


def test_networks_are_found_refused_and_removed(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        identifier = await host.define("mine", labels={"a": "b"})
        assert host.networks.inspect(identifier[:6]).name == "mine"
        assert [each.name for each in host.networks.networks()][:3] == ["bridge", "host", "none"]
        with pytest.raises(Conflict, match="network with name mine already exists"):
            await host.define("mine")
        with pytest.raises(Forbidden, match="predefined host network"):
            await host.define("host")
        with pytest.raises(Forbidden, match="pre-defined network and cannot be removed"):
            await host.networks.remove("bridge")
        with pytest.raises(NotFound, match="network nothing not found"):
            await host.networks.remove("nothing")
        await host.run("first", "mine")
        member = host.networks.inspect("mine").containers[identity("first").identifier]
        assert (member.name, member.ipv4_address) == ("first", "10.45.16.2/24")
        with pytest.raises(Forbidden, match="has active endpoints"):
            await host.networks.remove("mine")
        assert await host.networks.prune(lambda _: True) == []
        await host.networks.release(identity("first").identifier)
        assert await host.networks.prune(lambda network: network.labels == {"a": "b"}) == ["mine"]
        with Netlink() as machine:
            assert not [link for link in machine.links() if link.name == f"spt-b{identifier[:7]}"]

    on_own_host(tmp_path, body)


def test_connecting_and_leaving_live(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        await host.define("one")
        await host.define("two")
        first, second = await host.run("first", "one"), await host.run("second", "two")
        host.serve(second.namespace, 80, "second")
        assert not await reaches(first.namespace, address(second, "two"), 80)
        settled = await host.networks.connect("two", identity("first"), EndpointSettings())
        said = await fetch(first.namespace, address(second, "two"), 80)
        assert said == f"second {settled.ip_address}"
        shown = host.networks.sandbox(identity("first").identifier)
        assert shown is not None
        assert list(shown.endpoints) == ["one", "two"]
        assert settled.ip_address in Path(shown.hosts_path).read_text()
        with pytest.raises(Forbidden, match="already exists in network two"):
            await host.networks.connect("two", identity("first"), EndpointSettings())
        await host.networks.disconnect("two", identity("first").identifier)
        assert not await reaches(first.namespace, address(second, "two"), 80)
        assert settled.ip_address not in Path(shown.hosts_path).read_text()
        with pytest.raises(Forbidden, match="is not connected to network two"):
            await host.networks.disconnect("two", identity("first").identifier)
        with Netlink(Path(first.namespace)) as inside:
            assert inside.link("eth1") is None

    on_own_host(tmp_path, body)


def test_modes_without_a_network_of_ones_own(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        shared = await host.run("shared")
        sharing = await host.run("sharing", f"container:{identity('shared').identifier}")
        assert (sharing.namespace, sharing.hosts_path) == (shared.namespace, shared.hosts_path)
        assert sharing.endpoints == {}
        assert (await host.run("open", "host")).namespace == "host"
        closed = await host.run("closed", "none")
        with Netlink(Path(closed.namespace)) as inside:
            assert [(link.name, link.up) for link in inside.links()] == [("lo", True)]
        for name in ("sharing", "open", "closed"):
            with pytest.raises(Forbidden):
                await host.networks.connect("bridge", identity(name), EndpointSettings())
        with pytest.raises(Conflict, match="non running container"):
            await host.run("lonely", "container:nobody")

    on_own_host(tmp_path, body)


def test_all_of_it_can_be_taken_off_the_machine_by_name_alone(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        with Nftables() as nftables, Netlink() as machine:
            before = nftables.run("list ruleset")
            remove_bridges("spt-containers", Ruleset(), machine)
            nftables.run(
                "table ip filter {\n chain FORWARD {\n"
                "type filter hook forward priority 0; policy drop;\n}\n}"
            )
            options = {"com.docker.network.bridge.name": "anything"}
            await host.define("named", options=options)
            first = await host.run("first", "named")
            await host.until(lambda: "accept" in nftables.run("list chain ip filter FORWARD"))
            await host.stop()
            remove_bridges("spt-containers", Ruleset(), machine)
            nftables.run("delete table ip filter")
            assert nftables.run("list ruleset") == before
            assert machine.link("anything") is None
            await host.start()
            assert not Path(first.namespace).exists()

    on_own_host(tmp_path, body)
