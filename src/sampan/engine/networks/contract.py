"""What the engine's other parts and the faces may ask of networks.

A *reference* is a network's name, its identifier or an unambiguous start of one. A *sandbox* is
the network namespace of one container with what lies in it; it exists from `attach` to `release`,
so a container has addresses, ports and names only while it runs. What a container that is not
running *would* get is part of its definition, which is not kept here: faces connect and
disconnect containers through the containers' own part, which notes it and, if the container
runs, asks here.

Errors are those of `engine/contract.py`, with Docker's wording.
"""

from collections.abc import Callable, Collection
from typing import ClassVar, Protocol

import msgspec

from sampan.engine.containers.configuration import Document, EndpointSettings, PortBinding

BRIDGE, HOST, NONE = "bridge", "host", "none"
PREDEFINED = (BRIDGE, HOST, NONE)
CONTAINER_MODE = "container:"
DEFAULT_MODE = "default"

# Options of an endpoint's driver, beside Docker's own: rates such as `10mbit` or `1mbps`
# (units of tc(8); a plain number is bits a second).
RATE_IN_OPTION = "sampan.network.rate.in"
RATE_OUT_OPTION = "sampan.network.rate.out"

_WIRE_NAMES = {
    "configuration": "Config",
    "configuration_from": "ConfigFrom",
    "configuration_only": "ConfigOnly",
    "enable_ipv4": "EnableIPv4",
    "enable_ipv6": "EnableIPv6",
    "endpoint_identifier": "EndpointID",
    "identifier": "Id",
    "ip_range": "IPRange",
    "ipam": "IPAM",
    "ipv4_address": "IPv4Address",
    "ipv6_address": "IPv6Address",
}


def wire_name(name: str) -> str:
    """Docker's name of a field of ours, where it differs from that of containers' documents."""
    return _WIRE_NAMES.get(name) or "".join(map(str.capitalize, name.split("_")))


class AddressPool(Document, frozen=True, kw_only=True, rename=wire_name):
    """One subnet of a network; `auxiliary_addresses` are named ones that no container gets."""

    omitted_when_empty: ClassVar[frozenset[str]] = frozenset(
        ("IPRange", "Gateway", "AuxiliaryAddresses")
    )
    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    auxiliary_addresses: dict[str, str] | None = None


class AddressManagement(Document, frozen=True, kw_only=True, rename=wire_name):
    """Docker's `IPAM`."""

    driver: str = "default"
    options: dict[str, str] | None = None
    configuration: tuple[AddressPool, ...] = ()


class ConfigurationSource(Document, frozen=True, kw_only=True, rename=wire_name):
    network: str = ""


class NetworkDefinition(Document, frozen=True, kw_only=True, rename=wire_name):
    """The body of `POST /networks/create`; None is what was not said."""

    name: str = ""
    driver: str = ""
    scope: str = ""
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    configuration_only: bool = False
    configuration_from: ConfigurationSource | None = None
    ipam: AddressManagement | None = None
    options: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class ConnectedContainer(Document, frozen=True, kw_only=True, rename=wire_name):
    """A running container on a network; addresses have their prefix length behind a slash."""

    name: str
    endpoint_identifier: str
    mac_address: str
    ipv4_address: str = ""
    ipv6_address: str = ""


class NetworkDetail(Document, frozen=True, kw_only=True, rename=wire_name):
    """What an inspection tells; `created` is RFC 3339 with nanoseconds, as Docker has it."""

    name: str
    identifier: str
    created: str
    scope: str = "local"
    driver: str
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    ipam: AddressManagement
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    configuration_from: ConfigurationSource = ConfigurationSource()
    configuration_only: bool = False
    containers: dict[str, ConnectedContainer]
    options: dict[str, str]
    labels: dict[str, str]


class CreatedNetwork(msgspec.Struct, frozen=True, kw_only=True):
    identifier: str
    warning: str = ""


class ContainerIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who a container is on its networks; `name` has no slash."""

    identifier: str
    name: str
    hostname: str = ""
    domain_name: str = ""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A running container, by its identifier, that another knows by a further name."""

    identifier: str
    alias: str


class AttachmentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides a container's network, out of its definition.

    `mode` is `HostConfig.NetworkMode`: "" and "default" mean the bridge, a name or identifier a
    user-defined network; behind `container:` stands the other container's *identifier*.
    `endpoints` go by networks' references; without any, the network of `mode` is the only one.
    Ports are written `80/tcp`. Rates hold for each endpoint that has no option of its own.
    """

    identity: ContainerIdentity
    mode: str = DEFAULT_MODE
    endpoints: dict[str, EndpointSettings] = {}
    mac_address: str = ""
    exposed_ports: tuple[str, ...] = ()
    port_bindings: dict[str, tuple[PortBinding, ...] | None] = {}
    publish_all_ports: bool = False
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    rate_in: str = ""
    rate_out: str = ""


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """A container's network as it came true.

    `namespace` is what `ContainerConfiguration.network_namespace` takes: a path, or "host".
    `endpoints` go by networks' names, with all that Docker shows of them; `ports` holds exposed
    ports too, without bindings. The three files are to be bound over `/etc/hosts`,
    `/etc/resolv.conf` and `/etc/hostname`.
    """

    identifier: str
    namespace: str
    endpoints: dict[str, EndpointSettings] = {}
    ports: dict[str, tuple[PortBinding, ...] | None] = {}
    hosts_path: str
    resolver_path: str
    hostname_path: str


class Networks(Protocol):
    async def create(self, definition: NetworkDefinition) -> CreatedNetwork:
        """Raises Conflict (the name), InvalidConfiguration, Forbidden (subnets), NotFound (the
        driver)."""

    def networks(self) -> list[NetworkDetail]:
        """All of them, the predefined ones first."""

    def inspect(self, reference: str) -> NetworkDetail:
        """Raises NotFound, InvalidConfiguration when the reference is ambiguous."""

    async def remove(self, reference: str) -> None:
        """Raises NotFound, Forbidden when it is predefined or has containers."""

    async def prune(self, wanted: Callable[[NetworkDetail], bool]) -> list[str]:
        """Remove the user-defined ones that have no container and are wanted gone; their names."""

    async def attach(self, request: AttachmentRequest) -> Sandbox:
        """A container's network, before each start of it; what an earlier life left is replaced.

        Raises NotFound, Conflict, InvalidConfiguration, and EngineError with Docker's text when
        a port is taken; then nothing is left.
        """

    def sandbox(self, container: str) -> Sandbox | None:
        """That of a container (by its identifier) which runs, as it is now."""

    async def release(self, container: str) -> None:
        """Take it all away, after each end of a container; no error if there is nothing."""

    async def connect(
        self, reference: str, container: ContainerIdentity, settings: EndpointSettings
    ) -> EndpointSettings:
        """Plug a running container into one more network; the endpoint as it came true.

        Raises NotFound, Forbidden, Conflict, InvalidConfiguration.
        """

    async def disconnect(self, reference: str, container: str, *, force: bool = False) -> None:
        """Unplug a running container (by its identifier).

        Raises NotFound, Forbidden when it is not connected (unless forced).
        """

    async def rename(self, container: str, name: str) -> None:
        """A running container has another name from now on; no error if it has no sandbox."""

    async def restore(self, running: Collection[str]) -> None:
        """At the daemon's start: make bridges and rules anew, take up the sandboxes of containers
        (by identifier) that run, take away those of all others."""

    async def close(self) -> None:
        """Let go of sockets and threads; what is in the kernel stays."""
