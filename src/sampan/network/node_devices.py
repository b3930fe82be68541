"""What a node needs before its first pod: the pod bridge, kernel parameters, two routes."""

from ipaddress import IPv4Interface

from sampan.host.netlink import Netlink
from sampan.host.sysctl import set_sysctl
from sampan.network.contract import NodeNetwork
from sampan.network.hardware_address import gateway_hardware_address

OVERLAY_OVERHEAD = 50
_ETHERNET_MTU = 1500


class NodeDevices:
    """The bridge of one node and what surrounds it (methods: OSError)."""

    def __init__(self, network: NodeNetwork, netlink: Netlink) -> None:
        self._network = network
        self._netlink = netlink

    def pod_mtu(self) -> int:
        """What a packet may measure to fit into the overlay's envelope."""
        device = self._netlink.link(self._network.node_device)
        return (_ETHERNET_MTU if device is None else device.mtu) - OVERLAY_OVERHEAD

    def start_bridge(self) -> None:
        """Make the pod bridge with the gateway's address, or take over the one that is there."""
        bridge, gateway = self._network.bridge, self._network.gateway
        self._netlink.set_up("lo")
        if self._netlink.link(bridge) is None:
            hardware_address = gateway_hardware_address(gateway)
            self._netlink.create_bridge(
                bridge, hardware_address=hardware_address, mtu=self.pod_mtu()
            )
        prefix = self._network.pod_subnet.prefixlen
        self._netlink.add_address(bridge, IPv4Interface((gateway, prefix)))

    def set_parameters(self) -> None:
        """Kernel parameters, once bridge and overlay are there.

        Forwarding; route_localnet for NodePorts on loopback (the base rules guard it); a loose
        reverse path filter, for answers may come by the overlay; no redirects, as a node's pods
        all leave by the interface that they came from.
        """
        set_sysctl("net/ipv4/ip_forward", "1")
        set_sysctl("net/ipv4/conf/all/send_redirects", "0")
        for device in (self._network.bridge, self._network.overlay_device):
            set_sysctl(f"net/ipv4/conf/{device}/route_localnet", "1")
            set_sysctl(f"net/ipv4/conf/{device}/send_redirects", "0")
            set_sysctl(f"net/ipv4/conf/{device}/rp_filter", "2")
            set_sysctl(f"net/ipv6/conf/{device}/disable_ipv6", "1")
        set_sysctl(f"net/ipv4/conf/{self._network.node_device}/rp_filter", "2")

    def add_routes(self) -> None:
        """Service addresses lead to the bridge, where the rules translate or reject them;
        addresses of pods that no node has are unreachable. Neither is ever sent outside."""
        gateway = self._network.gateway
        self._netlink.add_route(
            self._network.service_range, device=self._network.bridge, source=gateway
        )
        self._netlink.add_route(self._network.pod_range, kind="unreachable")

    def stop(self) -> None:
        """Take routes and bridge away; the kernel parameters stay."""
        self._netlink.remove_route(self._network.service_range)
        self._netlink.remove_route(self._network.pod_range)
        self._netlink.delete_link(self._network.bridge)
