"""Bridges, their ports and what is behind those, in the kernel.

The kernel holds up such requests for tens of milliseconds while it takes other interfaces
down, so they are made from a thread. Whom a port is for is not known here.
"""

import errno
import os
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path

from sampan.host.namespaces import in_network_namespace
from sampan.host.netlink import Netlink
from sampan.host.netlink_message import NetlinkError
from sampan.host.netlink_traffic import limit_sending
from sampan.host.sysctl import read_sysctl, set_sysctl
from sampan.network.bridges.contract import Bridge, ChildLink, ParentLink, Port
from sampan.network.hardware_address import gateway_hardware_address

_EVERYWHERE = IPv4Network("0.0.0.0/0")
_EVERYWHERE6 = IPv6Network("::/0")
_NO_GATEWAY = IPv4Address(0)
# Values of accept_ra (ip-sysctl of the kernel).
_ACCEPTED_BY_HOSTS, _ACCEPTED_BY_ROUTERS = "1", "2"


class BridgeDevices:
    """Makes and removes them in the network namespace of `netlink` (OSError)."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink

    def start_bridge(self, bridge: Bridge) -> None:
        """Make a bridge with its addresses, or take over the one that is there."""
        device = bridge.device
        self._netlink.set_up("lo")
        if self._netlink.link(device) is None:
            gateway = bridge.gateway.ip if bridge.gateway else _NO_GATEWAY
            self._netlink.create_bridge(
                device, hardware_address=gateway_hardware_address(gateway), mtu=bridge.mtu
            )
            set_sysctl(f"net/ipv6/conf/{device}/disable_ipv6", "1")
        self._netlink.set_up(device)
        set_sysctl("net/ipv4/ip_forward", "1")
        set_sysctl(f"net/ipv4/conf/{device}/route_localnet", "1")
        if bridge.gateway is not None:
            self._netlink.add_address(device, bridge.gateway)
        if bridge.gateway6 is not None:
            self._start_ipv6(device, bridge.gateway6)

    def _start_ipv6(self, device: str, gateway: IPv6Interface) -> None:
        """Without waiting for whether its addresses are free, in which time it would ask nobody
        for theirs. A machine that learns its own routes from routers does so on."""
        set_sysctl(f"net/ipv6/conf/{device}/accept_ra", "0")
        set_sysctl(f"net/ipv6/conf/{device}/accept_dad", "0")
        set_sysctl(f"net/ipv6/conf/{device}/disable_ipv6", "0")
        if read_sysctl("net/ipv6/conf/all/forwarding") == "0":
            for link in self._netlink.links():
                accepted = f"net/ipv6/conf/{link.name}/accept_ra"
                if read_sysctl(accepted) == _ACCEPTED_BY_HOSTS:
                    set_sysctl(accepted, _ACCEPTED_BY_ROUTERS)
            set_sysctl("net/ipv6/conf/all/forwarding", "1")
        self._netlink.add_address(device, gateway)

    def has_bridge(self, device: str) -> bool:
        return self._netlink.link(device) is not None

    def stop_bridge(self, device: str) -> None:
        """Remove a bridge; no error if there is none."""
        self._netlink.delete_link(device)

    def has_port(self, device: str) -> bool:
        return self._netlink.link(device) is not None

    def plug_in(self, port: Port, namespace: Path, *, isolated: bool) -> None:
        """Make the pair, with its addresses and rates."""
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        mtu = self._mtu(port.bridge)
        try:
            self._netlink.create_veth(
                port.device,
                peer=port.interface,
                peer_namespace=descriptor,
                peer_hardware_address=port.hardware_address,
                mtu=mtu,
                master=port.bridge,
            )
        finally:
            os.close(descriptor)
        set_sysctl(f"net/ipv6/conf/{port.device}/disable_ipv6", "1")
        # A host that lets bridged frames pass its rules sends what was translated back to the
        # same port right there.
        self._netlink.set_bridge_port(port.device, hairpin=True, isolated=isolated)
        if port.rate_in:
            limit_sending(self._netlink, port.device, port.rate_in)
        self._configure_inside(port, namespace)

    def _mtu(self, bridge: str) -> int:
        link = self._netlink.link(bridge)
        if link is None:
            raise OSError(f"there is no bridge {bridge}")
        return link.mtu

    def _configure_inside(self, port: Port, namespace: Path) -> None:
        if port.address6 is not None:
            with in_network_namespace(namespace):
                set_sysctl(f"net/ipv6/conf/{port.interface}/disable_ipv6", "0")
                set_sysctl(f"net/ipv6/conf/{port.interface}/accept_ra", "0")
                set_sysctl(f"net/ipv6/conf/{port.interface}/accept_dad", "0")
        with Netlink(namespace) as inside:
            if port.rate_out:
                limit_sending(inside, port.interface, port.rate_out)
            inside.set_up(port.interface)
            if port.address is not None:
                inside.add_address(port.interface, port.address)
            if port.address6 is not None:
                inside.add_address(port.interface, port.address6)

    def have_parent(self, parent: ParentLink) -> None:
        """Make a parent, up, or take the one that is there (ENODEV if it is not ours to make)."""
        if self._netlink.link(parent.device) is None:
            if parent.made == "dummy":
                self._netlink.create_dummy(parent.device)
            elif parent.made == "vlan":
                self._netlink.create_vlan(parent.device, below=parent.below, tag=parent.tag)
            else:
                raise NetlinkError(
                    errno.ENODEV,
                    f"the requested parent interface {parent.device} was not found on the host",
                )
        if parent.made:
            self._netlink.set_up(parent.device)

    def remove_parent(self, parent: ParentLink) -> None:
        """Remove one of ours; no error if there is none."""
        if parent.made:
            self._netlink.delete_link(parent.device)

    def add_child(self, port: Port, child: ChildLink, namespace: Path) -> None:
        """Make the interface that stands on its parent, with its addresses and rates."""
        self.have_parent(child.parent)
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._netlink.create_child(
                port.interface,
                parent=child.parent.device,
                kind=child.kind,
                mode=child.mode,
                flag=child.flag,
                namespace=descriptor,
                hardware_address=port.hardware_address or None,
                mtu=child.mtu,
            )
        finally:
            os.close(descriptor)
        self._configure_inside(port, namespace)

    def remove_child(self, port: Port, namespace: Path) -> None:
        """Remove it; no error if there is none."""
        with Netlink(namespace) as inside:
            inside.delete_link(port.interface)

    def set_gateways(
        self,
        namespace: Path,
        gateway: IPv4Address | None,
        gateway6: IPv6Address | None,
        way_out: str = "",
    ) -> None:
        """Lead what is not on its links to these gateways, or out of the interface `way_out`, or
        nowhere."""
        with Netlink(namespace) as inside:
            for everywhere, through in ((_EVERYWHERE, gateway), (_EVERYWHERE6, gateway6)):
                if through is not None:
                    inside.add_route(everywhere, gateway=through)
                elif way_out and everywhere is _EVERYWHERE:
                    inside.add_route(everywhere, device=way_out)
                else:
                    inside.remove_route(everywhere)

    def unplug(self, device: str) -> None:
        """Remove a pair; no error if there is none."""
        self._netlink.delete_link(device)

    def routed_networks(self, without: frozenset[str]) -> list[IPv4Network]:
        """What the machine has routes to, but for the default one and those to these devices."""
        return [
            route.destination
            for route in self._netlink.routes()
            if route.destination.prefixlen and route.device not in without
        ]
