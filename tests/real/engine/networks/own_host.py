"""A host for the tests of networks: network and mount namespaces of a process of its own.

The process that the body runs in *is* the host: its own network namespace stands for the
machine's. Containers are sandboxes without processes; programs in them are sockets.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import struct
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path

from isolation import Place, in_own_process

from sampan.engine.containers.configuration import EndpointSettings, PortBinding
from sampan.engine.events import Events
from sampan.engine.networks.container_networks import ContainerNetworks
from sampan.engine.networks.contract import (
    AttachmentRequest,
    ContainerIdentity,
    NetworkDefinition,
    Sandbox,
)
from sampan.engine.networks.settings import NetworkSettings
from sampan.engine.state import State
from sampan.host.namespaces import (
    NamespaceKind,
    create_network_namespace,
    in_network_namespace,
    open_socket_in,
    remove_network_namespace,
    unshare,
)
from sampan.host.netlink import Netlink
from sampan.host.sysctl import set_sysctl
from sampan.network import dns_messages as dns
from sampan.network.bridges.contract import BridgeSettings

OUTSIDE = IPv4Interface("192.0.2.2/24")
MACHINE = IPv4Interface("192.0.2.1/24")
OUTSIDE6 = IPv6Interface("2001:db8::2/64")
MACHINE6 = IPv6Interface("2001:db8::1/64")
SECOND = 1_000_000_000


class Host:
    """The networks of one engine on a machine with one neighbour."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.here = Path("/proc/thread-self/ns/net")
        self.events = Events()
        self._servers: list[socket.socket] = []
        self.settings = NetworkSettings(
            range=IPv4Network("10.45.0.0/16"),
            reserved=(IPv4Network("10.42.0.0/16"), IPv4Network("10.43.0.0/16")),
            default_device="spt-bridge",
            device_prefix="spt-b",
            bridges=BridgeSettings(
                table="spt-containers", port_prefix="spt-c", namespace_folder=folder / "pins"
            ),
            sandbox_folder=folder / "sandboxes",
            host_addresses=(IPv4Address("127.0.0.1"), IPv6Address("::1")),
        )

    async def start(self, running: tuple[str, ...] = ()) -> None:
        self.state = await State.open(self.folder / "state.db")
        self.networks = await ContainerNetworks.open(
            self.settings, self.state, self.events, clock=lambda: SECOND
        )
        await self.networks.restore(running)

    async def stop(self) -> None:
        await self.networks.close()
        await self.state.close()

    async def define(self, name: str, **facts: object) -> str:
        created = await self.networks.create(NetworkDefinition(name=name, **facts))
        return created.identifier

    async def run(
        self,
        name: str,
        mode: str = "bridge",
        *,
        ports: dict[str, PortBinding] | None = None,
        settings: EndpointSettings | None = None,
        **facts: object,
    ) -> Sandbox:
        """A container's sandbox, with these ports published."""
        return await self.run_request(
            name,
            mode=mode,
            endpoints={} if settings is None else {mode: settings},
            exposed_ports=tuple(ports or ()),
            port_bindings={port: (place,) for port, place in (ports or {}).items()},
            **facts,
        )

    async def run_request(self, name: str, **facts: object) -> Sandbox:
        """A container's sandbox; its identifier is made of its name."""
        return await self.networks.attach(AttachmentRequest(identity=identity(name), **facts))

    def serve(self, where: Path | str, port: int, name: str, address: str = "0.0.0.0") -> None:
        """A TCP server that says its name and whom it sees."""
        server = open_socket_in(Path(where), _family(address), socket.SOCK_STREAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(16)
        self._servers.append(server)
        threading.Thread(target=_answer_all, args=(server, name), daemon=True).start()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until something has become true."""
        async with asyncio.timeout(5):
            while not true():  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(0.05)

    def end(self) -> None:
        for server in self._servers:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()

    @contextlib.contextmanager
    def neighbour(self) -> Iterator[Path]:
        """A machine beside this one, which has routes to its bridges through it."""
        path = self.folder / "neighbour"
        create_network_namespace(path)
        descriptor = os.open(path, os.O_RDONLY)
        with Netlink() as machine, Netlink(path) as beside:
            machine.create_veth("lan", peer="lan", peer_namespace=descriptor)
            machine.add_address("lan", MACHINE)
            beside.set_up("lo")
            beside.set_up("lan")
            beside.add_address("lan", OUTSIDE)
            beside.add_route(IPv4Network("10.45.0.0/16"), gateway=MACHINE.ip)
            machine.add_address("lan", MACHINE6)
            beside.add_address("lan", OUTSIDE6)
            beside.add_route(IPv6Network("fd00::/16"), gateway=MACHINE6.ip)
        os.close(descriptor)
        try:
            yield path
        finally:
            remove_network_namespace(path)


def identity(name: str) -> ContainerIdentity:
    identifier = (name.encode().hex() + "0" * 64)[:64]
    return ContainerIdentity(identifier=identifier, name=name, hostname=identifier[:12])


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def address(sandbox: Sandbox, network: str = "bridge") -> str:
    return sandbox.endpoints[network].ip_address


def _answer_all(server: socket.socket, name: str) -> None:
    while True:
        try:
            connection, (source, *_) = server.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            connection.sendall(f"{name} {source}".encode())


async def fetch(where: Path | str, target: str, port: int, timeout: float = 2) -> str:
    """What a server says to a client in this namespace; OSError as the client sees it."""

    def ask() -> str:
        with open_socket_in(Path(where), _family(target), socket.SOCK_STREAM) as client:
            client.settimeout(timeout)
            client.connect((target, port))
            return client.recv(200).decode()

    return await asyncio.to_thread(ask)


async def reaches(where: Path | str, target: str, port: int, timeout: float = 0.4) -> bool:
    """Whether a server answers; what nobody answers is not waited for long."""
    try:
        await fetch(where, target, port, timeout)
    except OSError:
        return False
    return True


async def answers(where: Path | str, target: str, port: int) -> bool:
    """Whether a server answers within the time that a first packet may be lost in."""
    return await reaches(where, target, port, timeout=4)


def loopback_by_wire(where: Path, gateway: str, device: str) -> None:
    """Make a namespace send what is for 127.0.0.1 to its gateway."""
    with in_network_namespace(where):
        set_sysctl(f"net/ipv4/conf/{device}/route_localnet", "1")
        command = ["ip", "address", "delete", "127.0.0.1/8", "dev", "lo"]
        subprocess.run(command, check=True, timeout=10)
    with Netlink(where) as netlink:
        target = IPv4Network("127.0.0.1/32")
        netlink.add_route(target, gateway=IPv4Address(gateway), device=device, on_link=True)


async def resolve(
    where: Path | str, name: str, kind: int = dns.A, *, by_tcp: bool = False
) -> tuple[int, list[bytes]]:
    """Response code and the data of the answers of the name server in a namespace."""
    question = dns.encode_name(name) + struct.pack(">HH", kind, dns.INTERNET)
    message = struct.pack(">HHHHHH", secrets.randbits(16), 0x0100, 1, 0, 0, 0) + question

    def ask() -> bytes:
        way = socket.SOCK_STREAM if by_tcp else socket.SOCK_DGRAM
        with open_socket_in(Path(where), socket.AF_INET, way) as client:
            client.settimeout(2)
            client.connect(("127.0.0.11", 53))
            if not by_tcp:
                client.send(message)
                return client.recv(2000)
            client.sendall(struct.pack(">H", len(message)) + message)
            (length,) = struct.unpack(">H", client.recv(2, socket.MSG_WAITALL))
            return client.recv(length, socket.MSG_WAITALL)

    return _read(await asyncio.to_thread(ask), len(question))


def _read(response: bytes, question: int) -> tuple[int, list[bytes]]:
    flags, _, answers = struct.unpack_from(">HHH", response, 2)
    offset, found = 12 + question, []
    for _ in range(answers):
        (length,) = struct.unpack_from(">H", response, offset + 10)
        found.append(response[offset + 12 : offset + 12 + length])
        offset += 12 + length
    return flags & 0xF, found


def on_own_host(folder: Path, body: Callable[[Host], Awaitable[None]]) -> None:
    """Run a test's body on a host of its own; it fails as the body does."""

    async def inside(place: Place) -> None:
        unshare(NamespaceKind.NETWORK)
        async with _host(place.folder) as host:
            await body(host)

    in_own_process(folder, inside)


@contextlib.asynccontextmanager
async def _host(folder: Path) -> AsyncIterator[Host]:
    host = Host(folder)
    await host.start()
    try:
        yield host
    finally:
        host.end()
        await host.stop()
