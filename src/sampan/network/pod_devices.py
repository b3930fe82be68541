"""One pod's network in the kernel: a pinned namespace, a pair of interfaces, its routes.

All names follow from the address, so whatever is found can be attributed. The kernel holds
up such requests for tens of milliseconds while it takes other interfaces down, so they are
made from a thread, never from an event loop. Which pod it is for is not known here.
"""

import os
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from sampan.host.namespaces import (
    create_network_namespace,
    in_network_namespace,
    is_network_namespace,
    remove_network_namespace,
)
from sampan.host.netlink import Netlink
from sampan.host.sysctl import set_sysctl
from sampan.network.base_rules import port_name
from sampan.network.contract import NodeNetwork
from sampan.network.hardware_address import gateway_hardware_address, pod_hardware_address

POD_INTERFACE = "eth0"
_EVERYWHERE = IPv4Network("0.0.0.0/0")
# What container engines give every container: low ports and ping without privileges.
_POD_SYSCTLS = {
    "net/ipv4/ip_unprivileged_port_start": "0",
    "net/ipv4/ping_group_range": "0 2147483647",
    "net/ipv6/conf/default/disable_ipv6": "1",
}


class PodDevices:
    """Makes and removes the networks of pods on one node's bridge (OSError)."""

    def __init__(self, network: NodeNetwork, netlink: Netlink, mtu: int) -> None:
        self._network = network
        self._netlink = netlink
        self._mtu = mtu

    def namespace(self, address: IPv4Address) -> Path:
        return self._network.namespace_folder / str(address)

    def exists(self, address: IPv4Address) -> bool:
        """Whether both the namespace and the node's end of the pair are there."""
        port = port_name(self._network, address)
        return (
            is_network_namespace(self.namespace(address)) and self._netlink.link(port) is not None
        )

    def pinned(self) -> list[IPv4Address]:
        """The addresses of all namespaces pinned in the node's folder."""
        return [IPv4Address(entry.name) for entry in self._network.namespace_folder.iterdir()]

    def make(self, address: IPv4Address) -> None:
        """Make a pod's network; what an earlier life left there is replaced."""
        namespace = self.namespace(address)
        remove_network_namespace(namespace)
        self._netlink.delete_link(port_name(self._network, address))
        create_network_namespace(namespace)
        with in_network_namespace(namespace):
            for name, value in _POD_SYSCTLS.items():
                set_sysctl(name, value)
        self._plug_in(address, namespace)
        self._configure_inside(address, namespace)

    def _plug_in(self, address: IPv4Address, namespace: Path) -> None:
        port = port_name(self._network, address)
        hardware_address = pod_hardware_address(address)
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._netlink.create_veth(
                port,
                peer=POD_INTERFACE,
                peer_namespace=descriptor,
                peer_hardware_address=hardware_address,
                mtu=self._mtu,
                master=self._network.bridge,
            )
        finally:
            os.close(descriptor)
        self._netlink.set_bridge_port(port, hairpin=True, learning=False)
        self._netlink.set_forwarding(port, hardware_address)
        self._netlink.set_neighbour(self._network.bridge, address, hardware_address)

    def _configure_inside(self, address: IPv4Address, namespace: Path) -> None:
        gateway = self._network.gateway
        with Netlink(namespace) as inside:
            inside.set_up("lo")
            inside.set_up(POD_INTERFACE)
            inside.add_address(POD_INTERFACE, IPv4Interface(address))
            inside.add_route(IPv4Network(gateway), device=POD_INTERFACE)
            inside.add_route(_EVERYWHERE, gateway=gateway)
            inside.set_neighbour(POD_INTERFACE, gateway, gateway_hardware_address(gateway))

    def remove(self, address: IPv4Address) -> None:
        """Unpin a pod's namespace, whose end takes its interfaces along a moment later."""
        self._netlink.remove_neighbour(self._network.bridge, address)
        remove_network_namespace(self.namespace(address))

    def remove_all(self) -> None:
        """Take away every pod's network and wait until its interfaces are gone."""
        addresses = self.pinned()
        for address in addresses:
            remove_network_namespace(self.namespace(address))
        for address in addresses:
            self._netlink.delete_link(port_name(self._network, address))
