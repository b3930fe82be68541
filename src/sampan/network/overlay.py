"""The overlay of one node: its VXLAN device, and a route to each peer's pods through it.

Nothing is learned and nothing asked for: each peer's device has the address and the Ethernet
address that follow from its subnet and node address, so three entries a peer say it all.
"""

from ipaddress import IPv4Address, IPv4Interface

from sampan.host.netlink import Netlink
from sampan.network.base_rules import OVERLAY_PORT
from sampan.network.contract import NodeNetwork, Peer
from sampan.network.hardware_address import overlay_hardware_address


class Overlay:
    """The overlay device of one node (methods: OSError)."""

    def __init__(self, network: NodeNetwork, netlink: Netlink) -> None:
        self._network = network
        self._netlink = netlink
        self._device = network.overlay_device

    def start(self, mtu: int) -> None:
        """Make the device, or take over the one that is there if it is of the same address."""
        hardware_address = overlay_hardware_address(self._network.node_address)
        found = self._netlink.link(self._device)
        if found is not None and found.hardware_address != hardware_address:
            self._netlink.delete_link(self._device)
            found = None
        if found is None:
            self._netlink.create_vxlan(
                self._device,
                identifier=self._network.overlay_identifier,
                local=self._network.node_address,
                port=OVERLAY_PORT,
                hardware_address=hardware_address,
                mtu=mtu,
            )
        subnet = self._network.pod_subnet
        self._netlink.add_address(self._device, IPv4Interface(subnet.network_address))

    def peer_addresses(self) -> frozenset[IPv4Address]:
        """The peers that the device knows now, perhaps from an earlier life of the agent."""
        entries = self._netlink.forwarding(self._device)
        return frozenset(entry.address for entry in entries if entry.address is not None)

    def set_peers(self, peers: tuple[Peer, ...]) -> None:
        """Make routes, neighbours and forwarding entries those of exactly these peers."""
        self._remove_all_but(peers)
        for peer in peers:
            hardware_address = overlay_hardware_address(peer.address)
            remote = peer.pod_subnet.network_address
            self._netlink.set_forwarding(self._device, hardware_address, peer.address)
            self._netlink.set_neighbour(self._device, remote, hardware_address)
            self._netlink.add_route(
                peer.pod_subnet,
                gateway=remote,
                device=self._device,
                source=self._network.gateway,
                on_link=True,
            )

    def _remove_all_but(self, peers: tuple[Peer, ...]) -> None:
        subnets = {peer.pod_subnet for peer in peers}
        remotes = {subnet.network_address for subnet in subnets}
        devices = {(overlay_hardware_address(peer.address), peer.address) for peer in peers}
        for route in self._netlink.routes():
            if route.device == self._device and route.destination not in subnets:
                self._netlink.remove_route(route.destination)
        for entry in self._netlink.neighbours(self._device):
            if entry.address is not None and entry.address not in remotes:
                self._netlink.remove_neighbour(self._device, entry.address)
        for entry in self._netlink.forwarding(self._device):
            if entry.address is not None and (entry.hardware_address, entry.address) not in devices:
                self._netlink.remove_forwarding(self._device, entry.hardware_address, entry.address)

    def stop(self) -> None:
        self._netlink.delete_link(self._device)
