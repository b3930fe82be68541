"""From Node objects to the peers of the pod network: every other node with its range. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from sampan.network.contract import Peer
from sampan.node.cluster_view import Node


def peers(nodes: Iterable[Node], own_name: str) -> tuple[Peer, ...]:
    """Nodes without an address or a pod range yet are left out."""
    found = (
        Peer(
            node.metadata.name,
            IPv4Address(node.internal_address),
            IPv4Network(node.spec.pod_cidr),
        )
        for node in nodes
        if node.metadata.name != own_name and node.internal_address and node.spec.pod_cidr
    )
    return tuple(sorted(found, key=lambda peer: peer.name))
