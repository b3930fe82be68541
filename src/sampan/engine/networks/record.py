"""What is kept of networks, as long as they exist, in the engine's records."""

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)

import msgspec

from sampan.engine.networks.contract import (
    BRIDGE,
    AddressManagement,
    AddressPool,
    ConfigurationSource,
    ConnectedContainer,
    NetworkDetail,
)
from sampan.network.bridges.contract import Bridge, GatewayMode

NETWORK_KIND = "network"


class BridgeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What Docker's driver options say of a bridge."""

    device: str
    mtu: int = 1500
    isolated: bool = False
    masquerade: bool = True
    host_address: str = ""
    interface_prefix: str = "eth"
    mode: GatewayMode = "nat"
    mode6: GatewayMode = "nat"
    source: str = ""
    source6: str = ""
    has_address: bool = True

    def routed_versions(self) -> tuple[int, ...]:
        """The versions of IP that pass the bridge's gateway untranslated."""
        return tuple(
            version for version, mode in ((4, self.mode), (6, self.mode6)) if mode == "routed"
        )


class NetworkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`chosen_subnet`: a person chose it; `bridge` is None where there is none to make."""

    identifier: str
    name: str
    created: str
    driver: str
    pools: tuple[AddressPool, ...] = ()
    ipam_options: dict[str, str] | None = None
    chosen_subnet: bool = False
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    configuration_only: bool = False
    configuration_from: str = ""
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    bridge: BridgeOptions | None = None

    @property
    def has_names(self) -> bool:
        """Containers on it know one another by name: on all bridges but the default one."""
        return self.bridge is not None and self.name != BRIDGE

    def pool4(self) -> AddressPool | None:
        return next((pool for pool in self.pools if ":" not in pool.subnet), None)

    def pool6(self) -> AddressPool | None:
        return next((pool for pool in self.pools if ":" in pool.subnet), None)

    def as_bridge(self) -> Bridge | None:
        """What is to be in the kernel."""
        if self.bridge is None:
            return None
        bridge = self.bridge
        has_address = bridge.has_address and bridge.mode != "isolated"
        return Bridge(
            device=bridge.device,
            gateway=gateway4(self.pool4()) if has_address else None,
            gateway6=gateway6(self.pool6()) if bridge.mode6 != "isolated" else None,
            mtu=bridge.mtu,
            internal=self.internal,
            isolated=bridge.isolated,
            masquerade=bridge.masquerade,
            mode=bridge.mode,
            mode6=bridge.mode6,
            source=IPv4Address(bridge.source) if bridge.source else None,
            source6=IPv6Address(bridge.source6) if bridge.source6 else None,
        )

    def detail(self, containers: dict[str, ConnectedContainer]) -> NetworkDetail:
        """What an inspection tells, with who is on it."""
        return NetworkDetail(
            name=self.name,
            identifier=self.identifier,
            created=self.created,
            driver=self.driver,
            enable_ipv4=self.enable_ipv4,
            enable_ipv6=self.enable_ipv6,
            ipam=AddressManagement(options=self.ipam_options, configuration=self.pools),
            internal=self.internal,
            attachable=self.attachable,
            ingress=self.ingress,
            configuration_from=ConfigurationSource(network=self.configuration_from),
            configuration_only=self.configuration_only,
            containers=containers,
            options=self.options,
            labels=self.labels,
        )


def gateway4(pool: AddressPool | None) -> IPv4Interface | None:
    """The gateway's address with the prefix length of its subnet."""
    if pool is None:
        return None
    return IPv4Interface((pool.gateway, IPv4Network(pool.subnet).prefixlen))


def gateway6(pool: AddressPool | None) -> IPv6Interface | None:
    """The gateway's address with the prefix length of its subnet."""
    if pool is None:
        return None
    return IPv6Interface((pool.gateway, IPv6Network(pool.subnet).prefixlen))
