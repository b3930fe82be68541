"""The ports of the node that pods claim for their containers (hostPort). Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address

from sampan.network.contract import Endpoint, ServicePort
from sampan.node.pod_view import ContainerPort, Pod
from sampan.node.service_ports import PROTOCOLS

ANY_ADDRESS = "0.0.0.0"


def host_ports(
    pod: Pod, address: str, node_addresses: tuple[IPv4Address, ...]
) -> dict[str, ServicePort]:
    """What leads from the node's addresses to the pod at `address`; none on the host's network."""
    if pod.spec.host_network or not address:
        return {}
    found = (
        _service_port(pod, port, IPv4Address(address), node_addresses)
        for container in pod.all_containers
        for port in container.ports
        if port.host_port and port.protocol in PROTOCOLS
    )
    return {port.name: port for port in found}


def _service_port(
    pod: Pod, port: ContainerPort, address: IPv4Address, node_addresses: Iterable[IPv4Address]
) -> ServicePort:
    protocol = PROTOCOLS[port.protocol]
    wanted = {item for item in node_addresses if port.host_ip in {"", ANY_ADDRESS, str(item)}}
    return ServicePort(
        name=f"{pod.key}:host:{port.host_port}/{protocol}",
        protocol=protocol,
        address=None,
        port=port.host_port,
        endpoints=(Endpoint(address, port.container_port),),
        external_addresses=tuple(sorted(wanted)),
    )
