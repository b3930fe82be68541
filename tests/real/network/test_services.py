"""Service addresses and NodePorts lead to endpoints, or are refused at once."""

import socket
import time
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.real.network.joined_nodes import Network, Pod, fetch, names

from sampan.host.namespaces import open_socket_in
from sampan.network.contract import Endpoint, ServicePort

pytestmark = pytest.mark.real

SHOP = IPv4Address("10.43.0.20")


class Shop:
    """A service with a pod on each node."""

    def __init__(self, nodes: Network) -> None:
        self.nodes = nodes
        self.pods = [node.attach("shop") for node in nodes.nodes]
        self.endpoints = tuple(
            nodes.serve_pod(pod, f"shop{number}") for number, pod in enumerate(self.pods)
        )
        self.outsider = nodes.nodes[0].attach("outsider")

    def port(self, *endpoints: Endpoint, affinity: int = 0, node_port: int = 30080) -> ServicePort:
        return ServicePort(
            name="default/shop",
            protocol="tcp",
            address=SHOP,
            port=80,
            node_port=node_port,
            endpoints=endpoints,
            affinity_seconds=affinity,
        )

    def places(self) -> list[Path]:
        """Pods and nodes from which all must work alike."""
        pods = [*self.pods, self.outsider]
        return [pod.namespace for pod in pods] + [node.namespace for node in self.nodes.nodes]


@pytest.fixture(scope="module")
def shop(nodes: Network) -> Shop:
    return Shop(nodes)


def test_every_place_reaches_every_endpoint_by_the_service_address(shop: Shop) -> None:
    shop.nodes.apply(shop.port(*shop.endpoints))
    for place in shop.places():
        assert set(names(place, SHOP, 80, 60)) == {"shop0", "shop1", "shop2"}


def test_node_ports_answer_on_every_nodes_address(shop: Shop) -> None:
    shop.nodes.apply(shop.port(*shop.endpoints))
    for place in shop.places():
        for node in shop.nodes.nodes:
            assert set(names(place, node.address, 30080, 60)) == {"shop0", "shop1", "shop2"}


def test_node_ports_answer_on_the_machines_loopback(shop: Shop) -> None:
    shop.nodes.apply(shop.port(*shop.endpoints))
    machine, other, _ = shop.nodes.nodes
    assert set(names(machine.namespace, "127.0.0.1", 30080, 60)) == {"shop0", "shop1", "shop2"}
    with pytest.raises(ConnectionRefusedError):
        fetch(machine.namespace, "127.0.0.9", 30080)
    with pytest.raises(ConnectionRefusedError):
        fetch(other.namespace, "127.0.0.1", 30080)


@pytest.mark.parametrize("bridge_filter", ["0", "1"])
def test_a_pod_reaches_itself_and_its_neighbour_through_the_service(
    shop: Shop, bridge_filter: str
) -> None:
    """Also where bridged frames pass the IP rules, as Docker wants it."""
    machine = shop.nodes.nodes[0]
    machine.call("sysctl", ["net/bridge/bridge-nf-call-iptables", bridge_filter])
    shop.nodes.apply(shop.port(shop.endpoints[0]))
    for pod in (shop.pods[0], shop.outsider):
        assert names(pod.namespace, SHOP, 80, 5) == {"shop0": 5}
    assert fetch(shop.outsider.namespace, SHOP, 80).endswith(f" {shop.outsider.address}")


def test_without_endpoints_connections_are_refused_at_once(shop: Shop) -> None:
    shop.nodes.apply(shop.port())
    for place in shop.places():
        with pytest.raises(ConnectionRefusedError):
            fetch(place, SHOP, 80)
        with pytest.raises(ConnectionRefusedError):
            fetch(place, shop.nodes.nodes[1].address, 30080)


def test_unknown_service_addresses_are_refused_at_once(shop: Shop) -> None:
    shop.nodes.apply(shop.port(*shop.endpoints))
    for place in shop.places():
        for address, port in (("10.43.99.99", 80), (SHOP, 81)):
            with pytest.raises(ConnectionRefusedError):
                fetch(place, address, port)


def test_an_endpoint_may_be_a_program_on_a_node(shop: Shop) -> None:
    """As the API server is, behind the service `kubernetes`."""
    for node in shop.nodes.nodes:
        endpoint = shop.nodes.serve(node.namespace, node.address, 6443, f"node{node.number}")
        shop.nodes.apply(shop.port(endpoint))
        for place in shop.places():
            assert names(place, SHOP, 80, 3) == {f"node{node.number}": 3}
            assert names(place, shop.nodes.nodes[1].address, 30080, 3).total() == 3


def test_a_connection_outlives_its_endpoints_removal(shop: Shop) -> None:
    pod = shop.pods[1]
    with (
        open_socket_in(pod.namespace, socket.AF_INET, socket.SOCK_STREAM) as server,
        open_socket_in(shop.outsider.namespace, socket.AF_INET, socket.SOCK_STREAM) as client,
    ):
        server.bind((str(pod.address), 8090))
        server.listen()
        shop.nodes.apply(shop.port(Endpoint(pod.address, 8090)))
        client.settimeout(3)
        client.connect((str(SHOP), 80))
        accepted, _ = server.accept()
        shop.nodes.apply(shop.port(shop.endpoints[0]))
        with accepted:
            accepted.sendall(b"still here")
            assert client.recv(100) == b"still here"
    assert names(shop.outsider.namespace, SHOP, 80, 5) == {"shop0": 5}


def test_a_try_that_nobody_answered_does_not_bind_the_next_one(shop: Shop) -> None:
    """A client that gave up on a dead endpoint uses its port again, soon after."""
    place = shop.outsider.namespace
    shop.nodes.apply(shop.port(Endpoint(shop.pods[1].address + 100, 8080)))
    with pytest.raises(TimeoutError):
        fetch(place, SHOP, 80, timeout=0.3, source_port=40001)
    shop.nodes.apply(shop.port(shop.endpoints[0]))
    time.sleep(1)
    shop.nodes.nodes[0].call("forget_unanswered")
    assert fetch(place, SHOP, 80, source_port=40001).startswith("shop0")


def test_datagrams_follow_the_endpoints(shop: Shop) -> None:
    """UDP from one source port does not stay with an endpoint that was removed."""
    dns = ServicePort(name="dns", protocol="udp", address=IPv4Address("10.43.0.30"), port=53)
    with (
        _datagram_socket(shop.pods[0]) as first,
        _datagram_socket(shop.pods[1]) as second,
        open_socket_in(shop.outsider.namespace, socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        for receiver, pod in ((first, shop.pods[0]), (second, shop.pods[1]), (first, shop.pods[0])):
            endpoint = Endpoint(pod.address, 5353)
            shop.nodes.apply(_with_endpoints(dns, endpoint))
            client.sendto(b"where?", (str(dns.address), 53))
            message, source = receiver.recvfrom(100)
            receiver.sendto(b"here", source)
            client.settimeout(3)
            assert message == b"where?"
            assert client.recvfrom(100) == (b"here", (str(dns.address), 53))


def test_affinity_keeps_a_client_with_its_endpoint(shop: Shop) -> None:
    shop.nodes.apply(shop.port(*shop.endpoints, affinity=100))
    place = shop.outsider.namespace
    (chosen,) = names(place, SHOP, 80, 15)
    assert names(place, shop.nodes.nodes[0].address, 30080, 5) == {chosen: 5}
    number = int(chosen.removeprefix("shop"))
    another = (number + 1) % 3
    kept = [shop.endpoints[number], shop.endpoints[another]]
    shop.nodes.apply(shop.port(*kept, affinity=100))
    assert names(place, SHOP, 80, 10) == {chosen: 10}
    shop.nodes.apply(shop.port(shop.endpoints[another], affinity=100))
    assert names(place, SHOP, 80, 10) == {f"shop{another}": 10}
    shop.nodes.apply(shop.port(*shop.endpoints, affinity=50))
    assert len(names(place, SHOP, 80, 10)) == 1
    shop.nodes.apply(shop.port(*shop.endpoints))
    assert set(names(place, SHOP, 80, 60)) == {"shop0", "shop1", "shop2"}


def test_affinity_ends_after_its_time(shop: Shop) -> None:
    shop.nodes.apply()
    shop.nodes.apply(shop.port(*shop.endpoints, affinity=1))
    machine = shop.nodes.nodes[0]
    fetch(shop.outsider.namespace, SHOP, 80)
    listed = machine.call("nft", "list table ip spt")
    assert f"{shop.outsider.address} timeout 1s" in listed


def test_services_with_affinity_come_and_go(shop: Shop) -> None:
    machine = shop.nodes.nodes[0]
    for endpoints in ((), shop.endpoints, shop.endpoints[:1], (), shop.endpoints[1:]):
        shop.nodes.apply(shop.port(*endpoints, affinity=60))
    shop.nodes.apply()
    assert "affinity" not in machine.call("nft", "list table ip spt")


def test_external_addresses_lead_to_the_service(shop: Shop) -> None:
    outside = IPv4Address("198.51.100.7")
    place = shop.pods[1].namespace
    shop.nodes.apply(_external(outside, shop.endpoints[2]))
    assert fetch(place, outside, 80).startswith("shop2")
    shop.nodes.apply(_external(outside))
    with pytest.raises(ConnectionRefusedError):
        fetch(place, outside, 80)


def _external(address: IPv4Address, *endpoints: Endpoint) -> ServicePort:
    return ServicePort(
        name="external",
        protocol="tcp",
        address=SHOP,
        port=80,
        endpoints=endpoints,
        external_addresses=(address,),
    )


def test_an_address_that_two_want_stays_with_the_first(shop: Shop) -> None:
    first = shop.port(shop.endpoints[0], node_port=0)
    second = ServicePort(
        name="second", protocol="tcp", address=SHOP, port=80, endpoints=(shop.endpoints[1],)
    )
    shop.nodes.apply(first)
    shop.nodes.apply(first, second)
    assert names(shop.outsider.namespace, SHOP, 80, 5) == {"shop0": 5}
    shop.nodes.apply(second)
    assert names(shop.outsider.namespace, SHOP, 80, 5) == {"shop1": 5}


@pytest.mark.parametrize("command", ["flush ruleset", "flush table ip spt", "delete table ip spt"])
def test_flushed_rules_come_back(shop: Shop, command: str) -> None:
    machine = shop.nodes.nodes[0]
    shop.nodes.apply(shop.port(*shop.endpoints))
    assert not machine.call("restore")
    machine.call("nft", command)
    assert machine.call("restore")
    assert not machine.call("restore")
    assert set(names(shop.outsider.namespace, SHOP, 80, 60)) == {"shop0", "shop1", "shop2"}


def test_the_next_agent_changes_nothing_that_is_right(shop: Shop) -> None:
    machine = shop.nodes.nodes[0]
    shop.nodes.apply(shop.port(*shop.endpoints))
    before = machine.call("nft", "list table ip spt")
    machine.call("reopen")
    machine.call("set_peers", [node.peer() for node in shop.nodes.nodes[1:]])
    assert names(shop.outsider.namespace, SHOP, 80, 5).total() == 5
    shop.nodes.apply(shop.port(*shop.endpoints))
    assert machine.call("nft", "list table ip spt") == before
    shop.nodes.apply(shop.port(shop.endpoints[1]))
    assert names(shop.outsider.namespace, SHOP, 80, 5) == {"shop1": 5}


def test_more_endpoints_than_were_prepared_for(shop: Shop) -> None:
    ports = range(8100, 8140)
    endpoints = tuple(shop.nodes.serve_pod(shop.pods[2], str(port), port) for port in ports)
    shop.nodes.apply(shop.port(*endpoints))
    seen = names(shop.outsider.namespace, SHOP, 80, 300)
    assert len(seen) > 30
    assert set(seen) <= {str(port) for port in ports}


def _datagram_socket(pod: Pod) -> socket.socket:
    made = open_socket_in(pod.namespace, socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((str(pod.address), 5353))
    made.settimeout(3)
    return made


def _with_endpoints(port: ServicePort, *endpoints: Endpoint) -> ServicePort:
    return ServicePort(
        name=port.name,
        protocol=port.protocol,
        address=port.address,
        port=port.port,
        endpoints=endpoints,
    )
