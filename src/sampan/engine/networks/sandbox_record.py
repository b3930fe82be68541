"""What is kept of a sandbox while its container runs: a file in the run folder for each.

It is written before the kernel is asked for anything, so that a later process finds what an
earlier one made. After a reboot neither is there.
"""

import contextlib
import os
from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from pathlib import Path

import msgspec

from sampan.engine.containers.configuration import EndpointSettings
from sampan.engine.networks.contract import (
    CONTAINER_MODE,
    HOST,
    NONE,
    AttachmentRequest,
    ContainerIdentity,
)
from sampan.engine.networks.port_plan import Bindings, PortWish, shown_ports
from sampan.host.mounts import mount_tmpfs, unmount_if_mounted
from sampan.host.tree_removal import remove_tree
from sampan.network.bridges.contract import ChildLink, Port, PublishedPort

_RECORD = "sandbox.json"
_FILES = "files"
_MOST_BYTES = 256 << 10


class PlacedEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A place on a network: `settings` as Docker shows it, and the pair of interfaces. `routed`
    are the versions of IP that others reach it by without translation."""

    network: str
    network_name: str
    settings: EndpointSettings
    bridge: str
    device: str
    interface: str
    internal: bool
    routed: tuple[int, ...] = ()
    rate_in: int = 0
    rate_out: int = 0
    child: ChildLink | None = None

    def as_port(self) -> Port:
        """What is to be in the kernel."""
        settings = self.settings
        own, own6 = settings.ip_address, settings.global_ipv6_address
        return Port(
            device=self.device,
            bridge=self.bridge,
            interface=self.interface,
            hardware_address=settings.mac_address,
            address=IPv4Interface((own, settings.ip_prefix_length)) if own else None,
            address6=IPv6Interface((own6, settings.global_ipv6_prefix_length)) if own6 else None,
            rate_in=self.rate_in,
            rate_out=self.rate_out,
            child=self.child,
        )

    def addresses(self) -> list[str]:
        """Those that it has, IPv4 first."""
        found = (self.settings.ip_address, self.settings.global_ipv6_address)
        return [address for address in found if address]


class SandboxRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A container's network as it came true. `namespace` is the identifier of its namespace,
    "" where it has none of its own; `host_ports` go with `wishes`, those that are held."""

    request: AttachmentRequest
    namespace: str = ""
    endpoints: tuple[PlacedEndpoint, ...] = ()
    plain_endpoints: dict[str, EndpointSettings] = {}
    wishes: tuple[PortWish, ...] = ()
    host_ports: tuple[int, ...] = ()

    @property
    def identity(self) -> ContainerIdentity:
        return self.request.identity

    @property
    def shares(self) -> str:
        """The container whose network this one shares, "" for none."""
        mode = self.request.mode
        return mode.removeprefix(CONTAINER_MODE) if mode.startswith(CONTAINER_MODE) else ""

    @property
    def is_private(self) -> bool:
        """Whether it may be on networks at all."""
        return not self.shares and self.request.mode not in (HOST, NONE)

    def endpoint(self, network: str) -> PlacedEndpoint | None:
        return next((each for each in self.endpoints if each.network == network), None)

    def way_out(self) -> PlacedEndpoint | None:
        """The endpoint whose gateway is the default one: the highest priority, then by name."""
        outward = [each for each in self.endpoints if not each.internal]
        order = sorted(outward, key=lambda each: each.network_name)
        return max(order, key=lambda each: each.settings.gateway_priority, default=None)

    def shown_ports(self) -> Bindings:
        return shown_ports(self.request.exposed_ports, self.wishes, self.host_ports)

    def published(self) -> tuple[PublishedPort, ...]:
        """Where the held ports lead; nowhere without a network that leads outside."""
        outward = self.way_out()
        if outward is None or outward.child is not None:
            return ()
        own = {address.version: address for address in map(ip_address, outward.addresses())}
        return tuple(
            PublishedPort(
                protocol=wish.protocol,
                host_address=host_address,
                host_port=host_port,
                address=own.get(host_address.version) or next(iter(own.values())),
                port=wish.port,
            )
            for wish, host_port in zip(self.wishes, self.host_ports, strict=True)
            for host_address in map(ip_address, wish.host_addresses)
        ) + tuple(
            PublishedPort(
                protocol=wish.protocol,
                host_address=everywhere,
                host_port=0,
                address=own[everywhere.version],
                port=wish.port,
            )
            for wish in self.wishes
            for everywhere in map(ip_address, wish.opened_on)
        )


class SandboxFolder:
    """The records and files of the sandboxes of one engine, a folder for each container.

    Files that containers may write to lie in a small file system of their own for each: what
    grows without end there harms nobody else. Methods raise OSError.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> Iterator[tuple[str, SandboxRecord | None]]:
        """Containers and their records; None for one that can't be read."""
        if not self._folder.exists():
            return
        for entry in sorted(self._folder.iterdir()):
            try:
                content = (entry / _RECORD).read_bytes()
                yield entry.name, msgspec.json.decode(content, type=SandboxRecord)
            except (FileNotFoundError, msgspec.DecodeError):
                yield entry.name, None

    def save(self, record: SandboxRecord) -> None:
        """Put the record in the place of the one before."""
        folder = self._made(record.identity.identifier)
        fresh = folder / f"{_RECORD}.new"
        fresh.write_bytes(msgspec.json.encode(record))
        os.replace(fresh, folder / _RECORD)

    def _made(self, container: str) -> Path:
        folder = self._folder / container
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def path(self, container: str, name: str) -> Path:
        """That of a file which the container reads."""
        return self._folder / container / _FILES / name

    def make_files(self, container: str) -> None:
        """Have the place for files that the container reads."""
        place = self._made(container) / _FILES
        place.mkdir(mode=0o755)
        mount_tmpfs(str(place), size=_MOST_BYTES)

    def write(self, container: str, name: str, text: str) -> None:
        """A file that the container reads, changed in its place: it is mounted by its inode."""
        path = self.path(container, name)
        path.write_text(text, errors="surrogateescape")
        path.chmod(0o644)

    def remove(self, container: str) -> None:
        """No error if there is nothing."""
        folder = self._folder / container
        unmount_if_mounted(folder / _FILES)
        with contextlib.suppress(FileNotFoundError):
            remove_tree(folder)
