"""What networks of one instance are made of: names, ranges and folders. Pure."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from pathlib import Path

import msgspec

from sampan.engine.contract import InvalidConfiguration
from sampan.foundation.settings import Instance
from sampan.network.bridges.contract import Address, BridgeSettings

PUBLISH_ADDRESS_VARIABLE = "SAMPAN_PUBLISH_ADDRESS"
EVERYWHERE: tuple[Address, ...] = (IPv4Address(0), IPv6Address(0))


class NetworkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`device_prefix` begins the names of bridges; `host_addresses` are where ports are
    published that name no address; `reserved` ranges are never a bridge's."""

    range: IPv4Network
    reserved: tuple[IPv4Network, ...]
    default_device: str
    device_prefix: str
    bridges: BridgeSettings
    sandbox_folder: Path
    host_addresses: tuple[Address, ...]


def network_settings(instance: Instance, environment: Mapping[str, str]) -> NetworkSettings:
    """Those of an instance. Published ports listen on the loopback unless the environment says
    otherwise (`SAMPAN_PUBLISH_ADDRESS=0.0.0.0`). Raises InvalidConfiguration."""
    folder = instance.run_folder / "engine"
    return NetworkSettings(
        range=instance.container_range,
        reserved=(instance.pod_range, instance.service_range, instance.node_range),
        default_device=instance.interface("bridge"),
        device_prefix=instance.interface("b"),
        bridges=BridgeSettings(
            table=f"{instance.packet_table}-containers",
            port_prefix=instance.interface("c"),
            namespace_folder=folder / "namespaces",
        ),
        sandbox_folder=folder / "networks",
        host_addresses=_publish_addresses(instance, environment),
    )


def _publish_addresses(instance: Instance, environment: Mapping[str, str]) -> tuple[Address, ...]:
    """There is but one loopback address of IPv6: the default instance has it."""
    text = environment.get(PUBLISH_ADDRESS_VARIABLE, "")
    if not text:
        own = instance.loopback_address
        return (own, IPv6Address("::1")) if instance.slot == 0 else (own,)
    try:
        return addresses_of_default(ip_address(text))
    except ValueError as error:
        raise InvalidConfiguration(f"invalid {PUBLISH_ADDRESS_VARIABLE}: {error}") from error


def addresses_of_default(address: Address) -> tuple[Address, ...]:
    """Where a port is published for want of an address: every address is those of both versions,
    as Docker has it."""
    return EVERYWHERE if address.is_unspecified else (address,)
