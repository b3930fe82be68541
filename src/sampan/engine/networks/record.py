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
from sampan.network.bridges.contract import (
    Bridge,
    ChildKind,
    ChildLink,
    GatewayMode,
    ParentLink,
)

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


class ParentOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What Docker's driver options say of a network whose interfaces stand on the machine's."""

    kind: ChildKind
    mode: str
    flag: str = ""
    parent: ParentLink
    mtu: int = 0
    interface_prefix: str = "eth"
    host_address: str = ""

    @property
    def device(self) -> str:
        return self.parent.device

    def routed_versions(self) -> tuple[int, ...]:
        """None: no port of the machine leads there."""
        return ()

    def as_child(self) -> ChildLink:
        """What each container's interface is."""
        return ChildLink(
            parent=self.parent, kind=self.kind, mode=self.mode, flag=self.flag, mtu=self.mtu
        )


class NetworkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`chosen_subnet`: a person chose it; containers' interfaces are ports of a `bridge`, or stand
    on a `parent`; where both are None there are none."""

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
    parent: ParentOptions | None = None

    @property
    def attachment(self) -> BridgeOptions | ParentOptions | None:
        """What containers' interfaces are attached to: one driver's options, or another's."""
        return self.bridge or self.parent

    @property
    def is_closed(self) -> bool:
        """Whether nothing leads out of it: it is to be so, or there is nowhere to go."""
        return self.internal or (self.parent is not None and self.parent.parent.made == "dummy")

    @property
    def has_names(self) -> bool:
        """Containers on it know one another by name: on all networks but the default one."""
        return self.attachment is not None and self.name != BRIDGE

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
