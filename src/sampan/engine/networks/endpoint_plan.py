"""From a container's wishes to its places on networks: addresses, names, interfaces. Pure."""

import re
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

import msgspec

from sampan.engine.containers.configuration import EndpointAddresses, EndpointSettings
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.networks.address_plan import Address, chosen_address, next_address
from sampan.engine.networks.contract import (
    RATE_IN_OPTION,
    RATE_OUT_OPTION,
    AddressPool,
    AttachmentRequest,
    ContainerIdentity,
)
from sampan.engine.networks.record import NetworkRecord
from sampan.engine.networks.sandbox_record import PlacedEndpoint, SandboxRecord
from sampan.network.bridges.rates import bytes_a_second
from sampan.network.hardware_address import container_hardware_address

SHORT_IDENTIFIER = 12
_INTERFACE_OPTION = "com.docker.network.endpoint.ifname"
_HARDWARE_FORM = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_INTERFACE_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}")
_GROUP_BIT = 0x01
_NO_WISH = EndpointSettings()


class EndpointWish(msgspec.Struct, frozen=True, kw_only=True):
    """A place that a container wants; rates are for what its options don't say."""

    network: NetworkRecord
    settings: EndpointSettings
    mac_address: str = ""
    rate_in: str = ""
    rate_out: str = ""


class Identifiers(msgspec.Struct, frozen=True, kw_only=True):
    """The random names of one endpoint."""

    endpoint: str
    device: str


def endpoint_wishes(
    request: AttachmentRequest, find: Callable[[str], NetworkRecord]
) -> list[EndpointWish]:
    """The wish for the network of the mode first, then the others by name.

    `find` knows networks by references. Raises InvalidConfiguration, and what `find` raises.
    """
    if not SandboxRecord(request=request).is_private:
        if any(_wants_address(settings) for settings in request.endpoints.values()):
            raise InvalidConfiguration(
                "user specified IP address is supported on user defined networks only"
            )
        return []
    main = find(request.mode)
    asked: dict[str, EndpointSettings] = {}
    networks: dict[str, NetworkRecord] = {}
    for reference, settings in (request.endpoints or {main.identifier: _NO_WISH}).items():
        network = find(reference)
        networks[network.identifier] = network
        asked[network.identifier] = settings
    order = sorted(networks.values(), key=lambda each: (each is not main, each.name))
    return [
        EndpointWish(
            network=network,
            settings=asked[network.identifier],
            mac_address=request.mac_address if network is main else "",
            rate_in=request.rate_in,
            rate_out=request.rate_out,
        )
        for network in order
    ]


def _wants_address(settings: EndpointSettings) -> bool:
    wanted = settings.ipam_configuration
    return wanted is not None and bool(wanted.ipv4_address or wanted.ipv6_address)


def placed_endpoint(
    wish: EndpointWish,
    identity: ContainerIdentity,
    identifiers: Identifiers,
    *,
    used: Collection[Address],
    taken_interfaces: Collection[str],
) -> PlacedEndpoint:
    """A place with addresses that nobody else has. Raises InvalidConfiguration, Forbidden,
    EngineError."""
    network, settings = wish.network, wish.settings
    attachment = network.attachment
    if attachment is None:
        raise InvalidConfiguration(f"no container can be connected to network {network.name}")
    child = network.parent.as_child() if network.parent is not None else None
    asked = settings.ipam_configuration or EndpointAddresses()
    address = _address(network, network.pool4(), asked.ipv4_address, used)
    address6 = _address(network, network.pool6(), asked.ipv6_address, used)
    options = settings.driver_options or {}
    pool, pool6 = network.pool4(), network.pool6()
    true_settings = msgspec.structs.replace(
        settings,
        network_identifier=network.identifier,
        endpoint_identifier=identifiers.endpoint,
        mac_address=_hardware_address(
            settings.mac_address or wish.mac_address, address, identifiers
        )
        if child is None or child.has_own_hardware_address
        else "",
        gateway=_gateway(network, pool),
        ip_address="" if address is None else str(address),
        ip_prefix_length=IPv4Network(pool.subnet).prefixlen if pool else 0,
        ipv6_gateway=_gateway(network, pool6),
        global_ipv6_address="" if address6 is None else str(address6),
        global_ipv6_prefix_length=IPv6Network(pool6.subnet).prefixlen if pool6 else 0,
        dns_names=endpoint_names(network, identity, settings),
    )
    return PlacedEndpoint(
        network=network.identifier,
        network_name=network.name,
        settings=true_settings,
        bridge=attachment.device,
        device=identifiers.device,
        interface=_interface(options, attachment.interface_prefix, taken_interfaces),
        internal=network.is_closed,
        child=child,
        routed=tuple(
            each.version
            for each in (address, address6)
            if each is not None and each.version in attachment.routed_versions()
        ),
        rate_in=_rate(options.get(RATE_IN_OPTION, wish.rate_in)),
        rate_out=_rate(options.get(RATE_OUT_OPTION, wish.rate_out)),
    )


def _address(
    network: NetworkRecord, pool: AddressPool | None, asked: str, used: Collection[Address]
) -> Address | None:
    if asked:
        return chosen_address(asked, pool, used, chosen_subnet=network.chosen_subnet)
    if pool is None:
        return None
    return next_address(pool, used, f"{network.name} ({network.identifier})")


def _gateway(network: NetworkRecord, pool: AddressPool | None) -> str:
    child = network.parent.as_child() if network.parent is not None else None
    has_none = network.is_closed or (child is not None and not child.has_neighbours)
    return "" if pool is None or has_none else pool.gateway


def _hardware_address(asked: str, address: Address | None, identifiers: Identifiers) -> str:
    if not asked:
        if isinstance(address, IPv4Address):
            return container_hardware_address(address)
        return container_hardware_address(IPv4Address(int(identifiers.endpoint[:8], 16)))
    text = asked.lower().replace("-", ":")
    if not _HARDWARE_FORM.fullmatch(text) or int(text[:2], 16) & _GROUP_BIT:
        raise InvalidConfiguration(f"invalid MAC address {asked!r}")
    return text


def _interface(options: dict[str, str], prefix: str, taken: Collection[str]) -> str:
    asked = options.get(_INTERFACE_OPTION, "")
    if asked:
        if not _INTERFACE_FORM.fullmatch(asked) or asked in taken or asked == "lo":
            raise InvalidConfiguration(f"invalid interface name {asked!r}")
        return asked
    return next(
        name for number in range(len(taken) + 1) if (name := f"{prefix}{number}") not in taken
    )


def _rate(text: str) -> int:
    try:
        return bytes_a_second(text)
    except ValueError as error:
        raise InvalidConfiguration(str(error)) from error


def endpoint_names(
    network: NetworkRecord, identity: ContainerIdentity, settings: EndpointSettings
) -> tuple[str, ...] | None:
    """The names that others on the network know a container by."""
    if not network.has_names:
        return None
    short = identity.identifier[:SHORT_IDENTIFIER]
    names = (identity.name, *(settings.aliases or ()), short, identity.hostname)
    return tuple(dict.fromkeys(name for name in names if name))


def used_addresses(endpoints: Collection[PlacedEndpoint]) -> set[Address]:
    """The addresses that these have."""
    return {ip_address(address) for endpoint in endpoints for address in endpoint.addresses()}


def link_aliases(settings: EndpointSettings) -> dict[str, str]:
    """The names that a container alone knows others by (`--link NAME:ALIAS`)."""
    pairs = (link.rpartition(":") for link in settings.links or ())
    return {alias: name.lstrip("/") or alias for name, _, alias in pairs}
