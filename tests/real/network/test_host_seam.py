"""The seam to the kernel's network, in a namespace that the test makes and removes."""

import errno
import os
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from sampan.host.namespaces import (
    create_network_namespace,
    in_network_namespace,
    is_network_namespace,
    remove_network_namespace,
)
from sampan.host.netlink import Netlink, Route
from sampan.host.netlink_message import NetlinkError
from sampan.host.nftables import KernelRules, Nftables, NftablesError
from sampan.host.nftables_netlink import Element, ElementChange
from sampan.host.sysctl import set_sysctl

pytestmark = pytest.mark.real


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "namespace"
    create_network_namespace(path)
    yield path
    remove_network_namespace(path)
    assert not path.exists()


def _own_namespace() -> str:
    return os.readlink("/proc/thread-self/ns/net")


def test_making_a_namespace_leaves_the_thread_where_it_was(tmp_path: Path) -> None:
    own = _own_namespace()
    path = tmp_path / "namespace"
    create_network_namespace(path)
    assert _own_namespace() == own
    assert is_network_namespace(path)
    with in_network_namespace(path):
        assert _own_namespace() != own
    assert _own_namespace() == own
    remove_network_namespace(path)
    remove_network_namespace(path)
    assert not is_network_namespace(path)


def test_a_namespace_is_never_made_over_something(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.write_text("kept")
    with pytest.raises(FileExistsError):
        create_network_namespace(path)
    assert path.read_text() == "kept"
    assert not is_network_namespace(path)


def test_leaving_a_namespace_by_an_error_leads_home(namespace: Path) -> None:
    own = _own_namespace()
    with pytest.raises(ZeroDivisionError), in_network_namespace(namespace):
        _ = 1 / 0
    assert _own_namespace() == own


def test_interfaces_addresses_and_routes(namespace: Path) -> None:
    with Netlink(namespace) as netlink:
        netlink.create_bridge("bridge", hardware_address="02:00:00:00:00:01", mtu=1400)
        netlink.create_veth("one", peer="two", mtu=1400, master="bridge")
        bridge, one = netlink.link("bridge"), netlink.link("one")
        assert bridge is not None
        assert one is not None
        assert (bridge.kind, bridge.mtu, bridge.up) == ("bridge", 1400, True)
        assert bridge.hardware_address == "02:00:00:00:00:01"
        assert one.master == bridge.index
        netlink.set_up("one", up=False)
        down = netlink.link("one")
        assert down is not None
        assert not down.up
        address = IPv4Interface("10.9.0.1/24")
        netlink.add_address("bridge", address)
        netlink.add_address("bridge", address)
        connected = Route(destination=address.network, device="bridge")
        assert netlink.routes() == [connected]
        unreachable = IPv4Network("10.9.0.0/16")
        netlink.add_route(unreachable, kind="unreachable")
        netlink.add_route(unreachable, kind="blackhole")
        assert Route(destination=unreachable, kind="blackhole") in netlink.routes()
        assert netlink.remove_route(unreachable)
        assert not netlink.remove_route(unreachable)


def test_neighbours_and_forwarding_entries(namespace: Path) -> None:
    address, hardware_address = IPv4Address("10.9.0.7"), "02:00:00:00:00:07"
    with Netlink(namespace) as netlink:
        netlink.create_vxlan(
            "overlay",
            identifier=7,
            local=IPv4Address("10.9.0.1"),
            port=8472,
            hardware_address="02:00:00:00:00:01",
            mtu=1450,
        )
        for _ in range(2):
            netlink.set_neighbour("overlay", address, hardware_address)
            netlink.set_forwarding("overlay", hardware_address, address)
        assert [entry.address for entry in netlink.neighbours("overlay")] == [address]
        assert [entry.address for entry in netlink.forwarding("overlay")] == [address]
        assert netlink.remove_neighbour("overlay", address)
        assert netlink.remove_forwarding("overlay", hardware_address, address)
        assert not netlink.remove_neighbour("overlay", address)
        assert not netlink.remove_forwarding("overlay", hardware_address, address)


def test_refusals_say_what_was_asked(namespace: Path) -> None:
    with Netlink(namespace) as netlink:
        assert netlink.link("nowhere") is None
        assert not netlink.delete_link("nowhere")
        with pytest.raises(NetlinkError, match="there is no interface nowhere"):
            netlink.set_up("nowhere")
        netlink.create_bridge("bridge", hardware_address="02:00:00:00:00:01")
        with pytest.raises(NetlinkError, match="create bridge bridge") as refusal:
            netlink.create_bridge("bridge", hardware_address="02:00:00:00:00:01")
        assert refusal.value.errno == errno.EEXIST
        assert netlink.delete_link("bridge")


def test_parameters_belong_to_the_namespace(namespace: Path) -> None:
    parameter = Path("/proc/sys/net/ipv4/ip_default_ttl")
    before = parameter.read_text()
    with in_network_namespace(namespace):
        assert set_sysctl("net/ipv4/ip_default_ttl", "77")
        assert parameter.read_text() == "77\n"
        assert not set_sysctl("net/ipv4/no_such_parameter", "1")
    assert parameter.read_text() == before


def test_rules_are_changed_whole_or_not_at_all(namespace: Path) -> None:
    with in_network_namespace(namespace):
        rules = KernelRules()
        with Nftables() as nftables, pytest.raises(NftablesError):
            nftables.run("add table ip seam\nadd nonsense")
        assert rules.policy("ip", "seam", "guard") is None
        generation = rules.generation()
        rules.run("add table ip seam\nadd set ip seam some { type ipv4_addr; }")
        assert rules.generation() == generation + 1
        rules.run(
            "add chain ip seam guard { type filter hook input priority 0; policy drop; }\n"
            'add rule ip seam guard accept comment "mine"'
        )
        assert [rule.comment for rule in rules.rules("ip", "seam")] == ["mine"]
        assert rules.policy("ip", "seam", "guard") == "drop"
        assert rules.policy("ip", "seam", "none") is None
        rules.close()


def test_many_elements_are_one_transaction(namespace: Path) -> None:
    elements = tuple(Element(struct.pack(">I", number)) for number in range(5000))
    with in_network_namespace(namespace):
        rules = KernelRules()
        rules.run("add table ip seam\nadd set ip seam some { type ipv4_addr; }")
        before = rules.generation()
        rules.apply([ElementChange("ip", "seam", "some", elements)])
        assert rules.generation() == before + 1
        assert set(rules.elements("ip", "seam", "some")) == set(elements)
        stranger = Element(struct.pack(">I", 99999))
        removal = ElementChange("ip", "seam", "some", (elements[0], stranger), delete=True)
        with pytest.raises(NetlinkError):
            rules.apply([removal])
        assert len(rules.elements("ip", "seam", "some")) == 5000
        rules.close()
