"""Three nodes in namespaces of their own, joined like those of a machine, and sockets in them."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import msgspec

from sampan.host.namespaces import open_socket_in
from sampan.host.netlink import Netlink
from sampan.network.contract import Endpoint, NodeNetwork, Peer, ServicePort

POD_RANGE = IPv4Network("10.42.0.0/16")
SERVICE_RANGE = IPv4Network("10.43.0.0/16")
NODE_RANGE = IPv4Network("10.44.0.0/24")
SOURCE = Path(__file__).parents[3] / "src"


class Pod:
    """A pod's namespace and address, and the node that it is on."""

    def __init__(self, node: "TestNode", answer: dict[str, Any]) -> None:
        self.node = node
        self.address = IPv4Address(answer["address"])
        self.namespace = node.inside(Path(answer["path"]))


class TestNode:
    """One node process and what a test asks of it."""

    __test__ = False

    def __init__(self, number: int, folder: Path) -> None:
        self.number = number
        self.address = NODE_RANGE[number]
        self.folder = folder / f"node-{number}"
        self.spawn()

    def spawn(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("node_process.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        self._answer()
        self.namespace = Path(f"/proc/{self.process.pid}/ns/net")

    def facts(self) -> NodeNetwork:
        return NodeNetwork(
            bridge="spt-pods",
            overlay_device="spt-overlay",
            overlay_identifier=4242,
            node_device="spt-nodes" if self.number == 1 else "eth0",
            node_address=self.address,
            pod_subnet=IPv4Network(f"10.42.{self.number - 1}.0/24"),
            pod_range=POD_RANGE,
            service_range=SERVICE_RANGE,
            node_range=NODE_RANGE,
            loopback_address=IPv4Address("127.0.0.1") if self.number == 1 else None,
            packet_table="spt",
            namespace_folder=self.folder / "namespaces",
            state_file=self.folder / "attachments.json",
        )

    def peer(self) -> Peer:
        return Peer(f"node-{self.number}", self.address, self.facts().pod_subnet)

    def call(self, method: str, argument: object = None) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode([method, argument], enc_hook=str) + b"\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"node {self.number} died"
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"node {self.number}: {answer['error']}")
        return answer["result"]

    def attach(self, identifier: str) -> Pod:
        return Pod(self, self.call("attach", identifier))

    def inside(self, path: Path) -> Path:
        """A path as the node's mounts show it."""
        return Path(f"/proc/{self.process.pid}/root{path}")

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        assert self.process.stdout is not None
        self.process.stdout.close()


def join_nodes(nodes: list[TestNode]) -> None:
    """Node 1 has the bridge, the others a link to it."""
    machine = nodes[0]
    with Netlink(machine.namespace) as netlink:
        netlink.set_up("lo")
        netlink.create_bridge("spt-nodes", hardware_address="02:5a:0a:2c:00:01")
        netlink.add_address("spt-nodes", IPv4Interface("10.44.0.1/24"))
        for node in nodes[1:]:
            descriptor = os.open(node.namespace, os.O_RDONLY)
            netlink.create_veth(
                f"spt-node-{node.number}",
                peer="eth0",
                peer_namespace=descriptor,
                master="spt-nodes",
            )
            os.close(descriptor)
            with Netlink(node.namespace) as inside:
                inside.set_up("lo")
                inside.set_up("eth0")
                inside.add_address("eth0", IPv4Interface(f"{node.address}/24"))
                inside.add_route(IPv4Network("0.0.0.0/0"), gateway=machine.address)


class Network:
    """The nodes, their services, and the servers that a test started in pods."""

    def __init__(self, folder: Path, count: int = 3) -> None:
        self._servers: list[socket.socket] = []
        self.nodes = [TestNode(number, folder) for number in range(1, count + 1)]

    def start(self) -> None:
        join_nodes(self.nodes)
        for node in self.nodes:
            node.call("configure", node.facts())
            node.call("start")
        for node in self.nodes:
            node.call("set_peers", [peer.peer() for peer in self.nodes if peer is not node])

    def apply(self, *ports: ServicePort) -> None:
        """Make these the services of every node."""
        for node in self.nodes:
            node.call("apply", {port.name: port for port in ports})

    def serve(self, where: Path, address: IPv4Address, port: int, name: str) -> Endpoint:
        """A TCP server that says its name and whom it sees, then closes."""
        server = open_socket_in(where, socket.AF_INET, socket.SOCK_STREAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((str(address), port))
        server.listen(64)
        self._servers.append(server)
        threading.Thread(target=_answer_all, args=(server, name), daemon=True).start()
        return Endpoint(address, port)

    def serve_pod(self, pod: Pod, name: str, port: int = 8080) -> Endpoint:
        return self.serve(pod.namespace, pod.address, port, name)

    def end(self) -> None:
        for server in self._servers:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
        for node in self.nodes:
            node.end()


def _answer_all(server: socket.socket, name: str) -> None:
    while True:
        try:
            connection, (source, _) = server.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            connection.sendall(f"{name} {source}".encode())


def connecting_socket(where: Path, source_port: int = 0) -> socket.socket:
    """A TCP socket of a client in this namespace."""
    client = open_socket_in(where, socket.AF_INET, socket.SOCK_STREAM)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("0.0.0.0", source_port))
    return client


def fetch(
    where: Path, address: IPv4Address | str, port: int, timeout: float = 3, source_port: int = 0
) -> str:
    """What a server says to a client in this namespace; OSError as the client sees it."""
    with connecting_socket(where, source_port) as client:
        client.settimeout(timeout)
        client.connect((str(address), port))
        return client.recv(200).decode()


def names(where: Path, address: IPv4Address | str, port: int, times: int) -> Counter[str]:
    """Which servers answer how often."""
    return Counter(fetch(where, address, port).split()[0] for _ in range(times))


@contextlib.contextmanager
def network(folder: Path, count: int = 3) -> Iterator[Network]:
    made = Network(folder, count)
    try:
        made.start()
        yield made
    finally:
        made.end()
