"""From what somebody asks for to a network's record. Pure."""

import re
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network
from typing import get_args

import msgspec

from sampan.engine.contract import Forbidden, InvalidConfiguration, NotFound
from sampan.engine.networks.address_plan import (
    OVERLAP,
    completed_pool,
    free_subnet,
    unique_local_subnet,
)
from sampan.engine.networks.contract import (
    BRIDGE,
    HOST,
    PREDEFINED,
    AddressManagement,
    AddressPool,
    NetworkDefinition,
)
from sampan.engine.networks.driver_options import BRIDGE_NAME, bridge_options
from sampan.engine.networks.parent_options import check_parent, parent_options
from sampan.engine.networks.record import NetworkRecord
from sampan.network.bridges.contract import ChildKind

_NAME_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LONGEST_NAME = 255
NULL_DRIVER = "null"
_DEFAULT_OPTIONS = {
    "com.docker.network.bridge.default_bridge": "true",
    "com.docker.network.bridge.enable_icc": "true",
    "com.docker.network.bridge.enable_ip_masquerade": "true",
    "com.docker.network.driver.mtu": "1500",
}


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a new network must get along with: `own` is the instance's range for bridges,
    `reserved` ranges are for others of the instance, `routed` is what the machine has routes
    to, `networks` those that there are."""

    own: IPv4Network
    reserved: tuple[IPv4Network, ...] = ()
    routed: tuple[IPv4Network, ...] = ()
    networks: tuple[NetworkRecord, ...] = ()

    def taken(self) -> list[IPv4Network]:
        """All that a subnet that nobody chose must not overlap with."""
        return [*self.reserved, *self.routed, *self.subnets()]

    def subnets(self) -> list[IPv4Network]:
        pools = (network.pool4() for network in self.networks if network.attachment is not None)
        return [IPv4Network(pool.subnet) for pool in pools if pool is not None]

    def subnets6(self) -> list[IPv6Network]:
        pools = (network.pool6() for network in self.networks if network.attachment is not None)
        return [IPv6Network(pool.subnet) for pool in pools if pool is not None]


def defined_network(
    definition: NetworkDefinition,
    *,
    identifier: str,
    created: str,
    device: str,
    surroundings: Surroundings,
) -> NetworkRecord:
    """A new network. Raises InvalidConfiguration, Forbidden, NotFound (the driver)."""
    _check_name(definition.name)
    driver = _checked_driver(definition.driver or BRIDGE)
    if definition.ingress:
        raise InvalidConfiguration("Ingress network can only be created in a swarm")
    definition = _with_configuration(definition, surroundings.networks)
    management = definition.ipam or AddressManagement()
    if management.driver not in ("", "default"):
        raise NotFound(f'plugin "{management.driver}" not found')
    options = dict(definition.options or {})
    ipv6 = bool(definition.enable_ipv6)
    record = NetworkRecord(
        identifier=identifier,
        name=definition.name,
        created=created,
        driver=driver,
        ipam_options=management.options,
        enable_ipv4=definition.enable_ipv4 is not False,
        enable_ipv6=ipv6,
        internal=definition.internal,
        attachable=definition.attachable,
        configuration_only=definition.configuration_only,
        configuration_from=_source(definition),
        options=options,
        labels=dict(definition.labels or {}),
    )
    if definition.configuration_only:
        return msgspec.structs.replace(record, pools=management.configuration)
    record = _attached(record, device, surroundings.networks)
    pools = _pools(record, management.configuration, surroundings)
    chosen = any(pool.subnet for pool in management.configuration)
    return msgspec.structs.replace(record, pools=pools, chosen_subnet=chosen)


def _checked_driver(driver: str) -> str:
    if driver in (HOST, NULL_DRIVER):
        raise Forbidden(f'only one instance of "{driver}" network is allowed')
    if driver not in (BRIDGE, *get_args(ChildKind)):
        raise NotFound(
            f"could not find plugin {driver[:80]} in v1 plugin registry: "
            f'plugin "{driver[:80]}" not found'
        )
    return driver


def _attached(
    record: NetworkRecord, device: str, networks: Collection[NetworkRecord]
) -> NetworkRecord:
    """With what the driver attaches containers to; a device that nobody named is this one."""
    options = record.options
    if record.driver == BRIDGE:
        bridge = bridge_options(options, device, ipv6=record.enable_ipv6, internal=record.internal)
        _check_device(bridge.device, networks, chosen=BRIDGE_NAME in options)
        return msgspec.structs.replace(record, bridge=bridge)
    kind: ChildKind = "macvlan" if record.driver == "macvlan" else "ipvlan"
    parent = parent_options(kind, options, device)
    check_parent(parent, networks)
    return msgspec.structs.replace(record, parent=parent)


def _check_name(name: str) -> None:
    if not name:
        raise InvalidConfiguration("invalid network name: name is empty")
    if name in PREDEFINED:
        raise Forbidden(f"operation is not permitted on predefined {name} network")
    if not _NAME_FORM.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise InvalidConfiguration(f"invalid network name {name!r}: use [a-zA-Z0-9][a-zA-Z0-9_.-]*")


def _source(definition: NetworkDefinition) -> str:
    return definition.configuration_from.network if definition.configuration_from else ""


def _with_configuration(
    definition: NetworkDefinition, networks: Collection[NetworkRecord]
) -> NetworkDefinition:
    """With the settings of the network that only holds them, if one is named."""
    name = _source(definition)
    if not name:
        return definition
    if definition.ipam is not None and definition.ipam.configuration:
        raise InvalidConfiguration(
            "user specified configurations are not supported if the network depends on a "
            "configuration network"
        )
    for network in networks:
        if network.configuration_only and name in (network.name, network.identifier):
            return msgspec.structs.replace(
                definition,
                ipam=AddressManagement(options=network.ipam_options, configuration=network.pools),
                options=network.options,
                labels=network.labels | (definition.labels or {}),
                enable_ipv6=network.enable_ipv6,
                internal=network.internal,
            )
    raise NotFound(f"configuration network {name!r} not found")


def _check_device(device: str, networks: Collection[NetworkRecord], *, chosen: bool) -> None:
    for network in networks:
        if network.bridge is not None and network.bridge.device == device:
            how = f"bridge name {device}" if chosen else f"bridge device {device}"
            raise Forbidden(f"{how} is in use by network {network.name}")


def _pools(
    record: NetworkRecord, wanted: tuple[AddressPool, ...], surroundings: Surroundings
) -> tuple[AddressPool, ...]:
    """One of each version that is enabled; chosen ones are completed, others found."""
    chosen = [completed_pool(pool) for pool in wanted if pool.subnet]
    own = [pool for pool in chosen if ":" not in pool.subnet]
    own6 = [pool for pool in chosen if ":" in pool.subnet]
    if len(own) > 1 or len(own6) > 1:
        raise Forbidden(f"{record.driver} driver doesn't support multiple subnets")
    if any(pool.ip_range or pool.gateway for pool in wanted if not pool.subnet):
        raise InvalidConfiguration("no matching subnet for range or gateway")
    pools = []
    if record.enable_ipv4:
        if own:
            _check_overlap(own[0], surroundings)
        else:
            subnet = free_subnet(surroundings.own, surroundings.taken())
            own = [completed_pool(AddressPool(subnet=str(subnet)))]
        pools += own
    if record.enable_ipv6:
        if own6:
            _check_overlap6(own6[0], surroundings)
        else:
            subnet6 = unique_local_subnet(record.identifier)
            own6 = [completed_pool(AddressPool(subnet=str(subnet6)))]
        pools += own6
    if not pools:
        raise InvalidConfiguration("IPv4 or IPv6 must be enabled")
    return tuple(pools)


def _check_overlap(pool: AddressPool, surroundings: Surroundings) -> None:
    subnet = IPv4Network(pool.subnet)
    others = (*surroundings.subnets(), *surroundings.reserved)
    if any(subnet.overlaps(other) for other in others):
        raise Forbidden(f"invalid pool request: {OVERLAP}")


def _check_overlap6(pool: AddressPool, surroundings: Surroundings) -> None:
    subnet = IPv6Network(pool.subnet)
    if any(subnet.overlaps(other) for other in surroundings.subnets6()):
        raise Forbidden(f"invalid pool request: {OVERLAP}")


def predefined_network(
    name: str, *, identifier: str, created: str, device: str, subnet: IPv4Network
) -> NetworkRecord:
    """`bridge` (with this device and subnet), `host` or `none`."""
    if name != BRIDGE:
        driver = HOST if name == HOST else NULL_DRIVER
        return NetworkRecord(identifier=identifier, name=name, created=created, driver=driver)
    host = {"com.docker.network.bridge.name": device}
    return NetworkRecord(
        identifier=identifier,
        name=name,
        created=created,
        driver=BRIDGE,
        pools=(completed_pool(AddressPool(subnet=str(subnet))),),
        options=_DEFAULT_OPTIONS | host,
        bridge=bridge_options(host, device, ipv6=False),
    )
