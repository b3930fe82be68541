"""What networks of one instance are made of: names, ranges and folders. Pure."""

from collections.abc import Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path

import msgspec

from sampan.engine.contract import InvalidConfiguration
from sampan.foundation.settings import Instance
from sampan.network.bridges.contract import BridgeSettings

PUBLISH_ADDRESS_VARIABLE = "SAMPAN_PUBLISH_ADDRESS"


class NetworkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`device_prefix` begins the names of bridges; `host_address` is where ports are published
    that name no address; `reserved` ranges are never a bridge's."""

    range: IPv4Network
    reserved: tuple[IPv4Network, ...]
    default_device: str
    device_prefix: str
    bridges: BridgeSettings
    sandbox_folder: Path
    host_address: IPv4Address


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
        host_address=_publish_address(instance, environment),
    )


def _publish_address(instance: Instance, environment: Mapping[str, str]) -> IPv4Address:
    text = environment.get(PUBLISH_ADDRESS_VARIABLE, "")
    try:
        return IPv4Address(text) if text else instance.loopback_address
    except AddressValueError as error:
        raise InvalidConfiguration(f"invalid {PUBLISH_ADDRESS_VARIABLE}: {error}") from error
