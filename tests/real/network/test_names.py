"""The DNS server as pods see it: through its service address, and through its own death."""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from tests.network.dns_client import Response, query, read_response
from tests.real.network.joined_nodes import Network, TestNode

from sampan.host.namespaces import open_socket_in
from sampan.network import dns_messages as dns
from sampan.network.contract import DnsRecords, Endpoint, ServicePort

pytestmark = pytest.mark.real

NAME = "web.shop.svc.cluster.local"
DNS_SERVICE = IPv4Address("10.43.0.10")


@pytest.fixture(scope="module")
def named(nodes: Network) -> Iterator[TestNode]:
    """A node whose name server knows one name and can be asked at the service address."""
    node = nodes.nodes[0]
    gateway = node.facts().gateway
    port = ServicePort(
        name="dns", protocol="udp", address=DNS_SERVICE, port=53, endpoints=(Endpoint(gateway, 53),)
    )
    nodes.apply(port)
    node.call("names", [])
    node.call("publish", [DnsRecords(addresses={NAME: (IPv4Address("10.43.0.20"),)}), []])
    yield node
    node.call("stop_names")
    assert _name_servers(node) == []


def _ask(where: Path, name: str, *, timeout: float = 5, server: object = DNS_SERVICE) -> Response:
    with open_socket_in(where, socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.connect((str(server), 53))
        client.send(query(name, dns.A))
        return read_response(client.recv(4096))


def _name_servers(node: TestNode) -> list[int]:
    """The DNS processes that this node has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes()
                if int(stat[1]) == node.process.pid and b"dns_main" in command:
                    found.append(int(entry.name))
    return found


def test_pods_and_programs_of_the_node_look_names_up(nodes: Network, named: TestNode) -> None:
    pod = named.attach("asking")
    for where in (pod.namespace, named.namespace):
        response = _ask(where, NAME)
        assert [record.data for record in response.answers] == [bytes((10, 43, 0, 20))]
    assert _ask(pod.namespace, "nope.shop.svc.cluster.local").code == dns.NAME_ERROR


def test_no_query_is_lost_when_the_server_is_killed(named: TestNode) -> None:
    pod = named.attach("asking-on")
    _ask(pod.namespace, NAME)
    (process,) = _name_servers(named)
    os.kill(process, signal.SIGKILL)
    response = _ask(pod.namespace, NAME)
    assert [record.data for record in response.answers] == [bytes((10, 43, 0, 20))]
    assert _name_servers(named) != [process]


def test_published_names_are_known_and_removed_ones_unknown(named: TestNode) -> None:
    other = "other.shop.svc.cluster.local"
    pod = named.attach("watching")
    named.call("publish", [DnsRecords(addresses={other: (IPv4Address("10.43.0.21"),)}), [NAME]])
    while _ask(pod.namespace, NAME).code != dns.NAME_ERROR:
        pass
    assert _ask(pod.namespace, other).code == dns.NO_ERROR
    named.call("publish", [DnsRecords(addresses={NAME: (IPv4Address("10.43.0.20"),)}), [other]])
