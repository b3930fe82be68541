"""Pods of one node and of several reach one another, and nobody pretends to be another."""

import contextlib
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest
from tests.real.network.joined_nodes import (
    NODE_RANGE,
    POD_RANGE,
    SERVICE_RANGE,
    Network,
    Pod,
    TestNode,
    fetch,
)

from sampan.host.namespaces import (
    create_network_namespace,
    in_network_namespace,
    open_socket_in,
    remove_network_namespace,
)
from sampan.host.netlink import Netlink
from sampan.host.sysctl import set_sysctl
from sampan.network.base_rules import OVERLAY_PORT
from sampan.network.contract import ServicePort
from sampan.network.hardware_address import overlay_hardware_address

pytestmark = pytest.mark.real


def test_pods_reach_one_another_with_their_own_addresses(nodes: Network) -> None:
    pods = [node.attach(f"reach-{number}") for node in nodes.nodes for number in (1, 2)]
    for number, pod in enumerate(pods):
        nodes.serve_pod(pod, f"pod{number}")
    for source in pods:
        for number, target in enumerate(pods):
            said = fetch(source.namespace, target.address, 8080)
            assert said == f"pod{number} {source.address}"


def test_a_node_reaches_pods_of_all_nodes(nodes: Network) -> None:
    pod = nodes.nodes[2].attach("from-node")
    nodes.serve_pod(pod, "pod")
    for node in nodes.nodes:
        assert fetch(node.namespace, pod.address, 8080).startswith("pod ")


def test_a_node_that_speaks_from_its_own_address_gets_an_answer(nodes: Network) -> None:
    pod = nodes.nodes[1].attach("from-node-address")
    nodes.serve_pod(pod, "pod")
    node = nodes.nodes[0]
    with open_socket_in(node.namespace, socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(3)
        client.bind((str(node.address), 0))
        client.connect((str(pod.address), 8080))
        assert client.recv(100).startswith(b"pod ")


def test_a_pod_reaches_programs_on_every_node(nodes: Network) -> None:
    pod = nodes.nodes[1].attach("to-node")
    for node in nodes.nodes:
        nodes.serve(node.namespace, node.address, 9000, f"node{node.number}")
        assert fetch(pod.namespace, node.address, 9000).startswith(f"node{node.number} ")


def test_an_address_that_no_node_has_is_refused_at_once(nodes: Network) -> None:
    pod = nodes.nodes[0].attach("nowhere")
    for where in (pod.namespace, nodes.nodes[0].namespace):
        with pytest.raises(OSError, match="No route to host"):
            fetch(where, "10.42.200.7", 80)


def test_attaching_twice_gives_the_same_network(nodes: Network) -> None:
    node = nodes.nodes[0]
    assert node.attach("twice").address == node.attach("twice").address


def test_a_freed_address_is_not_used_again_at_once(nodes: Network) -> None:
    node = nodes.nodes[0]
    first = node.attach("freed").address
    node.call("detach", "freed")
    node.call("detach", "freed")
    assert node.attach("after-freed").address != first


def test_large_packets_fit_into_the_overlay(nodes: Network) -> None:
    source, target = (nodes.nodes[number].attach("large") for number in (0, 1))
    with Netlink(source.namespace) as inside:
        link = inside.link("eth0")
    assert link is not None
    assert link.mtu == 1450
    with (
        open_socket_in(target.namespace, socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        open_socket_in(source.namespace, socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind((str(target.address), 7000))
        receiver.settimeout(3)
        sender.sendto(b"x" * 1422, (str(target.address), 7000))
        assert len(receiver.recv(2000)) == 1422


def test_a_pod_cannot_speak_with_another_address(nodes: Network) -> None:
    liar, target = (nodes.nodes[0].attach(name) for name in ("liar", "lied-to"))
    remote = nodes.nodes[1].attach("lied-to")
    forged = liar.address + 100
    with Netlink(liar.namespace) as inside:
        inside.add_address("eth0", IPv4Interface(forged))
    for victim in (target, remote):
        assert not _datagram_arrives(liar.namespace, forged, victim.namespace, victim.address)
        assert _datagram_arrives(liar.namespace, liar.address, victim.namespace, victim.address)
    with _without_guard(nodes.nodes[0], "bridge"):
        assert _datagram_arrives(liar.namespace, forged, target.namespace, target.address)


def test_frames_from_pod_to_pod_are_dropped(nodes: Network) -> None:
    """A pod that adds a direct route and neighbour gets nowhere by it."""
    liar, target = (nodes.nodes[0].attach(name) for name in ("framing", "framed"))
    with Netlink(target.namespace) as inside:
        link = inside.link("eth0")
        assert link is not None
    with Netlink(liar.namespace) as inside:
        inside.add_route(IPv4Network(f"{target.address}/32"), device="eth0")
        inside.set_neighbour("eth0", target.address, link.hardware_address)
    assert not _datagram_arrives(liar.namespace, liar.address, target.namespace, target.address)
    with _without_guard(nodes.nodes[0], "bridge"):
        assert _datagram_arrives(liar.namespace, liar.address, target.namespace, target.address)


def test_overlay_packets_of_strangers_are_dropped(nodes: Network) -> None:
    """A pod, and a program on a node under an address that is no peer's, forge one."""
    node = nodes.nodes[1]
    target = node.attach("forged-overlay")
    pod = nodes.nodes[0].attach("overlay-forger")
    with Netlink(nodes.nodes[0].namespace) as machine:
        machine.add_address("spt-nodes", IPv4Interface("10.44.0.77"))
    packet = _overlay_packet(node.facts().overlay_identifier, IPv4Address("10.42.0.9"), target)
    for where, source, arrives in (
        (pod.namespace, pod.address, False),
        (nodes.nodes[0].namespace, IPv4Address("10.44.0.77"), False),
        (nodes.nodes[0].namespace, nodes.nodes[0].address, True),
    ):
        with (
            open_socket_in(target.namespace, socket.AF_INET, socket.SOCK_DGRAM) as receiver,
            open_socket_in(where, socket.AF_INET, socket.SOCK_DGRAM) as sender,
        ):
            receiver.bind((str(target.address), 7100))
            receiver.settimeout(0.3)
            sender.bind((str(source), 0))
            sender.sendto(packet, (str(node.address), OVERLAY_PORT))
            assert _receives(receiver) is arrives


def test_loopback_is_out_of_a_neighbours_reach(nodes: Network) -> None:
    machine, neighbour = nodes.nodes[0], nodes.nodes[1]
    pod = machine.attach("loopback-reacher")
    nodes.serve(machine.namespace, IPv4Address("127.0.0.1"), 9100, "secret")
    assert fetch(machine.namespace, "127.0.0.1", 9100).startswith("secret")
    for where, gateway in (
        (pod.namespace, machine.facts().gateway),
        (neighbour.namespace, machine.address),
    ):
        _loopback_by_wire(where, gateway, "eth0")
        with pytest.raises(OSError, match="timed out"):
            fetch(where, "127.0.0.1", 9100, timeout=0.4)
    with _without_guard(machine, "inet"):
        assert fetch(pod.namespace, "127.0.0.1", 9100).startswith("secret")


def test_the_outside_reaches_nothing_and_is_reached(fresh_nodes: Network, tmp_path: Path) -> None:
    """A neighbour of the machine who even has routes to our ranges."""
    machine, other = fresh_nodes.nodes
    outside = tmp_path / "outside"
    create_network_namespace(outside)
    try:
        _plug_in_neighbour(machine, outside)
        pods = [machine.attach("inside"), other.attach("inside")]
        endpoints = tuple(fresh_nodes.serve_pod(pod, "pod") for pod in pods)
        service = IPv4Address("10.43.0.20")
        fresh_nodes.apply(
            ServicePort(
                name="shop",
                protocol="tcp",
                address=service,
                port=80,
                node_port=30080,
                endpoints=endpoints,
            )
        )
        for address, port in (
            (pods[0].address, 8080),
            (pods[1].address, 8080),
            (service, 80),
            (machine.address, 30080),
            (machine.facts().gateway, 30080),
            (IPv4Address("192.0.2.1"), 30080),
        ):
            with pytest.raises((TimeoutError, ConnectionRefusedError)):
                fetch(outside, address, port, timeout=0.3)
        fresh_nodes.serve(outside, IPv4Address("192.0.2.2"), 9000, "outside")
        for pod in pods:
            assert fetch(pod.namespace, "192.0.2.2", 9000).startswith("outside ")
        assert fetch(pods[0].namespace, "192.0.2.2", 9000) == "outside 192.0.2.1"
    finally:
        remove_network_namespace(outside)


def test_docker_drops_nothing_of_ours(fresh_nodes: Network) -> None:
    machine, other = fresh_nodes.nodes
    machine.call(
        "nft",
        "add table ip filter\nadd chain ip filter FORWARD { type filter hook "
        "forward priority 0; policy drop; }",
    )
    pods = [machine.attach("a"), machine.attach("b"), other.attach("c")]
    fresh_nodes.serve_pod(pods[1], "near")
    fresh_nodes.serve_pod(pods[2], "far")
    with pytest.raises(OSError, match="timed out"):
        fetch(pods[0].namespace, pods[2].address, 8080, timeout=0.3)
    assert machine.call("restore")
    assert fetch(pods[0].namespace, pods[1].address, 8080).startswith("near")
    assert fetch(pods[0].namespace, pods[2].address, 8080).startswith("far")
    assert fetch(pods[2].namespace, pods[1].address, 8080).startswith("near")
    machine.call("stop")
    assert "accept" not in machine.call("nft", "list chain ip filter FORWARD").split("policy")[1]


def test_the_next_agent_takes_over_what_it_finds(fresh_nodes: Network) -> None:
    machine, other = fresh_nodes.nodes
    pod = machine.attach("kept")
    endpoint = fresh_nodes.serve_pod(pod, "kept")
    far = other.attach("far")
    machine.call("reopen")
    assert machine.call("attachments") == {"kept": str(endpoint.address)}
    assert fetch(far.namespace, pod.address, 8080).startswith("kept")
    assert machine.attach("kept").address == pod.address
    fresh = machine.attach("fresh")
    assert fresh.address != pod.address
    assert fetch(fresh.namespace, pod.address, 8080).startswith("kept")


def test_a_peer_that_left_is_out_of_reach(fresh_nodes: Network) -> None:
    machine, other = fresh_nodes.nodes
    near, far = machine.attach("near"), other.attach("far")
    fresh_nodes.serve_pod(far, "far")
    assert fetch(near.namespace, far.address, 8080).startswith("far")
    machine.call("set_peers", [])
    with pytest.raises(OSError, match="No route to host"):
        fetch(near.namespace, far.address, 8080)
    machine.call("set_peers", [other.peer()])
    assert fetch(near.namespace, far.address, 8080).startswith("far")


def test_stopping_leaves_nothing(fresh_nodes: Network) -> None:
    node = fresh_nodes.nodes[1]
    with Netlink(node.namespace) as netlink:
        before = {link.name for link in netlink.links()} - {"spt-pods", "spt-overlay"}
        for number in range(5):
            node.attach(f"pod-{number}")
        node.call("apply", {})
        node.call("stop")
        links = {link.name for link in netlink.links()}
        routes = {str(route.destination) for route in netlink.routes()}
    assert links == {name for name in before if not name.startswith("spt-pod")}
    assert routes == {"10.44.0.0/24", "0.0.0.0/0"}
    assert node.call("nft", "list ruleset") == ""
    assert list(node.inside(node.facts().namespace_folder).iterdir()) == []
    assert not node.facts().state_file.exists()


@contextlib.contextmanager
def _without_guard(node: TestNode, family: str) -> Iterator[None]:
    """Shows that it is the guard that stops what is stopped."""
    node.call("nft", f"flush chain {family} spt guard")
    try:
        yield
    finally:
        assert node.call("restore")


def _receives(receiver: socket.socket) -> bool:
    try:
        receiver.recv(2000)
    except TimeoutError:
        return False
    return True


def _datagram_arrives(where: Path, source: IPv4Address, to: Path, target: IPv4Address) -> bool:
    with (
        open_socket_in(to, socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        open_socket_in(where, socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind((str(target), 7300))
        receiver.settimeout(0.3)
        sender.bind((str(source), 0))
        sender.sendto(b"hello", (str(target), 7300))
        return _receives(receiver)


def _plug_in_neighbour(machine: TestNode, outside: Path) -> None:
    """192.0.2.2 beyond an interface of the machine, with routes to our ranges through it."""
    descriptor = os.open(outside, os.O_RDONLY)
    with Netlink(machine.namespace) as netlink:
        netlink.create_veth("lan", peer="lan", peer_namespace=descriptor)
        netlink.add_address("lan", IPv4Interface("192.0.2.1/24"))
    os.close(descriptor)
    with Netlink(outside) as netlink:
        netlink.set_up("lo")
        netlink.set_up("lan")
        netlink.add_address("lan", IPv4Interface("192.0.2.2/24"))
        for reached in (POD_RANGE, SERVICE_RANGE, NODE_RANGE):
            netlink.add_route(reached, gateway=IPv4Address("192.0.2.1"))


def _overlay_packet(identifier: int, source: IPv4Address, target: Pod) -> bytes:
    """A VXLAN payload: a frame with a UDP datagram for port 7100 of a pod."""
    datagram = struct.pack(">HHHH", 1234, 7100, 8 + 5, 0) + b"hello"
    header = struct.pack(
        ">BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(datagram),
        1,
        0,
        64,
        17,
        0,
        source.packed,
        target.address.packed,
    )
    header = header[:10] + struct.pack(">H", _checksum(header)) + header[12:]
    frame = bytes.fromhex(overlay_hardware_address(target.node.address).replace(":", ""))
    frame += bytes.fromhex("020000000001") + b"\x08\x00" + header + datagram
    return struct.pack(">II", 0x08000000, identifier << 8) + frame


def _checksum(header: bytes) -> int:
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _loopback_by_wire(where: Path, gateway: IPv4Address, device: str) -> None:
    """Make the namespace send what is for 127.0.0.1 to its gateway."""
    with in_network_namespace(where):
        set_sysctl(f"net/ipv4/conf/{device}/route_localnet", "1")
        command = ["ip", "address", "delete", "127.0.0.1/8", "dev", "lo"]
        subprocess.run(command, check=True, timeout=10)
    with Netlink(where) as netlink:
        netlink.add_route(IPv4Network("127.0.0.1/32"), gateway=gateway, device=device, on_link=True)
