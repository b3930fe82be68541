"""One node's network facts for the tests of this folder."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from sampan.network.contract import NodeNetwork


def node_network(folder: Path = Path("/nowhere")) -> NodeNetwork:
    return NodeNetwork(
        bridge="sampan-pods",
        overlay_device="sampan-overlay",
        overlay_identifier=4200,
        node_device="sampan-nodes",
        node_address=IPv4Address("10.44.0.1"),
        pod_subnet=IPv4Network("10.42.0.0/24"),
        pod_range=IPv4Network("10.42.0.0/16"),
        service_range=IPv4Network("10.43.0.0/16"),
        node_range=IPv4Network("10.44.0.0/24"),
        loopback_address=IPv4Address("127.0.0.1"),
        packet_table="sampan",
        namespace_folder=folder / "namespaces",
        state_file=folder / "attachments.json",
    )
