"""Containers whose interfaces stand on the machine's are neighbours of its neighbours.

What the machine's kernel has no driver for is tried in the guest (`test_rare_abilities.py`).
"""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
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
    resolve,
)

from sampan.engine.containers.configuration import EndpointSettings
from sampan.engine.contract import EngineError, Forbidden
from sampan.engine.networks.contract import AddressManagement, AddressPool
from sampan.host.netlink import Netlink
from sampan.host.netlink_message import NetlinkError

pytestmark = pytest.mark.real

_LAN = AddressManagement(
    configuration=(
        AddressPool(subnet="192.0.2.0/24", ip_range="192.0.2.128/25", gateway=str(OUTSIDE.ip)),
    )
)


def _needs(kind: str, folder: Path) -> None:
    """Skip where the kernel can't make such an interface."""
    refusals = folder / "refusal"

    async def body(_: Host) -> None:
        with Netlink() as netlink:
            netlink.create_veth("below", peer="beside")
            try:
                if kind == "dummy":
                    netlink.create_dummy("probe")
                elif kind == "vlan":
                    netlink.create_vlan("below.7", below="below", tag=7)
                else:
                    mode = "bridge" if kind == "macvlan" else "l2"
                    namespace = open("/proc/thread-self/ns/net")  # noqa: SIM115, ASYNC230
                    with namespace:
                        netlink.create_child(
                            "probe",
                            parent="below",
                            kind="macvlan" if kind == "macvlan" else "ipvlan",
                            mode=mode,
                            namespace=namespace.fileno(),
                        )
            except NetlinkError as refusal:
                refusals.write_text(str(refusal))

    on_own_host(folder, body)
    if refusals.exists():
        pytest.skip(f"the kernel has no {kind}: {refusals.read_text()}")


def _options(kind: str, mode: str = "", parent: str = "lan") -> dict[str, object]:
    options = {"parent": parent} if parent else {}
    if mode:
        options[f"{kind}_mode"] = mode
    return {"driver": kind, "options": options, "ipam": _LAN}


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan"])
def test_neighbours_reach_one_another_but_not_the_machine(tmp_path: Path, kind: str) -> None:
    _needs(kind, tmp_path)

    async def body(host: Host) -> None:
        with host.neighbour() as outside:
            await host.define("lan", **_options(kind))
            first, second = await host.run("first", "lan"), await host.run("second", "lan")
            assert address(first, "lan").startswith("192.0.2.12")
            host.serve(second.namespace, 80, "second")
            host.serve(outside, 80, "outside")
            host.serve(host.here, 81, "machine")
            own, other = address(first, "lan"), address(second, "lan")
            assert await fetch(first.namespace, other, 80) == f"second {own}"
            # With their own addresses, and nobody's help.
            assert await fetch(first.namespace, str(OUTSIDE.ip), 80) == f"outside {own}"
            assert await fetch(outside, other, 80) == f"second {OUTSIDE.ip}"
            assert not await reaches(first.namespace, str(MACHINE.ip), 81)
            found = await resolve(first.namespace, "second")
            assert found == (0, [IPv4Address(other).packed])
            with Netlink(Path(first.namespace)) as inside:
                routes = [route for route in inside.routes() if not route.destination.prefixlen]
                assert [route.gateway for route in routes] == [OUTSIDE.ip]
            shown = first.endpoints["lan"]
            assert bool(shown.mac_address) == (kind == "macvlan")

    on_own_host(tmp_path, body)


def test_private_interfaces_of_one_parent_are_apart(tmp_path: Path) -> None:
    _needs("macvlan", tmp_path)

    async def body(host: Host) -> None:
        with host.neighbour() as outside:
            await host.define("lan", **_options("macvlan", "private"))
            first, second = await host.run("first", "lan"), await host.run("second", "lan")
            host.serve(second.namespace, 80, "second")
            assert not await reaches(first.namespace, address(second, "lan"), 80)
            assert await answers(outside, address(second, "lan"), 80)

    on_own_host(tmp_path, body)


def test_it_is_connected_and_disconnected_live_and_outlives_the_engine(tmp_path: Path) -> None:
    _needs("macvlan", tmp_path)

    async def body(host: Host) -> None:
        with host.neighbour() as outside:
            await host.define("lan", **_options("macvlan"))
            first = await host.run("first")
            assert "lan" not in first.endpoints
            settled = await host.networks.connect("lan", identity("first"), EndpointSettings())
            host.serve(first.namespace, 80, "first")
            assert await answers(outside, settled.ip_address, 80)
            with pytest.raises(Forbidden, match="has active endpoints"):
                await host.networks.remove("lan")
            await host.stop()
            await host.start((identity("first").identifier,))
            assert await answers(outside, settled.ip_address, 80)
            await host.networks.disconnect("lan", identity("first").identifier)
            assert not await reaches(outside, settled.ip_address, 80)
            with Netlink(Path(first.namespace)) as inside:
                assert {link.name for link in inside.links()} == {"lo", "eth0"}
            await host.networks.remove("lan")
            with Netlink() as machine:
                assert machine.link("lan") is not None

    on_own_host(tmp_path, body)


def test_one_alone_has_all_of_its_parent(tmp_path: Path) -> None:
    _needs("macvlan", tmp_path)

    async def body(host: Host) -> None:
        with host.neighbour() as outside:
            await host.define("lan", **_options("macvlan", "passthru"))
            first = await host.run("first", "lan")
            host.serve(first.namespace, 80, "first")
            assert await answers(outside, address(first, "lan"), 80)
            with pytest.raises(EngineError):
                await host.run("second", "lan")

    on_own_host(tmp_path, body)


def test_routes_of_the_third_layer_need_no_gateway(tmp_path: Path) -> None:
    _needs("ipvlan", tmp_path)

    async def body(host: Host) -> None:
        with host.neighbour() as outside:
            management = AddressManagement(configuration=(AddressPool(subnet="198.51.100.0/24"),))
            settings = _options("ipvlan", "l3") | {"ipam": management}
            await host.define("routed", **settings)
            first = await host.run("first", "routed")
            host.serve(first.namespace, 80, "first")
            with Netlink(outside) as beside:
                beside.add_route(IPv4Network("198.51.100.0/24"), gateway=MACHINE.ip)
            assert await answers(outside, address(first, "routed"), 80)
            assert not first.endpoints["routed"].gateway

    on_own_host(tmp_path, body)


def test_without_a_parent_containers_are_among_themselves(tmp_path: Path) -> None:
    _needs("dummy", tmp_path)
    _needs("macvlan", tmp_path)

    async def body(host: Host) -> None:
        await host.define("alone", driver="macvlan")
        first, second = await host.run("first", "alone"), await host.run("second", "alone")
        host.serve(second.namespace, 80, "second")
        assert await answers(first.namespace, address(second, "alone"), 80)
        assert not first.endpoints["alone"].gateway
        for name in ("first", "second"):
            await host.networks.release(identity(name).identifier)
        await host.networks.remove("alone")
        with Netlink() as machine:
            assert [link.kind for link in machine.links() if link.kind == "dummy"] == []

    on_own_host(tmp_path, body)


def test_a_vlan_is_made_on_the_interface_that_is_named(tmp_path: Path) -> None:
    _needs("vlan", tmp_path)

    async def body(host: Host) -> None:
        with host.neighbour() as outside:
            pool = AddressPool(subnet="203.0.113.0/24", gateway="203.0.113.1")
            management = AddressManagement(configuration=(pool,))
            settings = _options("macvlan", parent="lan.7") | {"ipam": management}
            await host.define("tagged", **settings)
            with Netlink(outside) as beside:
                beside.create_vlan("lan.7", below="lan", tag=7)
                beside.add_address("lan.7", IPv4Interface("203.0.113.1/24"))
            first = await host.run("first", "tagged")
            host.serve(first.namespace, 80, "first")
            assert await answers(outside, address(first, "tagged"), 80)
            await host.networks.release(identity("first").identifier)
            await host.networks.remove("tagged")
            with Netlink() as machine:
                assert machine.link("lan.7") is None

    on_own_host(tmp_path, body)


def test_a_parent_that_is_not_there_is_told(tmp_path: Path) -> None:
    async def body(host: Host) -> None:
        refusal = "the requested parent interface nowhere was not found on the host"
        with pytest.raises(EngineError, match=refusal):
            await host.define("lan", **_options("macvlan", parent="nowhere"))
        assert "lan" not in [network.name for network in host.networks.networks()]

    on_own_host(tmp_path, body)
