"""From Services and EndpointSlices to the ports that packet rules serve. Pure.

Rules: KEP-752 (EndpointSlices), KEP-1669 (terminating endpoints take over when no ready one is
left), KEP-2086 (internal traffic policy), "Virtual IPs and Service Proxies".
"""

from collections.abc import Iterable
from ipaddress import IPv4Address

from sampan.network.contract import Endpoint, ServicePort, TransportProtocol
from sampan.node.cluster_view import (
    EndpointSlice,
    PortOfService,
    Service,
    SliceEndpoint,
    SlicePort,
)

PROTOCOLS: dict[str, TransportProtocol] = {"TCP": "tcp", "UDP": "udp"}
DNS_SERVICE = "kube-system/kube-dns"
DNS_PORT = 53


def ports_of(
    service: Service,
    slices: Iterable[EndpointSlice],
    *,
    node_name: str,
    name_server: IPv4Address | None,
) -> dict[str, ServicePort]:
    """A service's ports, keyed NAMESPACE/NAME:PORT/PROTOCOL; none without an address of its own.

    The cluster's DNS service leads to `name_server`, this node's own.
    """
    key = f"{service.metadata.namespace}/{service.metadata.name}"
    if not service.has_address or service.spec.type == "ExternalName":
        return {}
    slices = tuple(slices)
    found: dict[str, ServicePort] = {}
    for port in service.spec.ports:
        protocol = PROTOCOLS.get(port.protocol)
        if protocol is None:
            continue
        if key == DNS_SERVICE and name_server is not None:
            endpoints: tuple[Endpoint, ...] = (Endpoint(name_server, DNS_PORT),)
        else:
            endpoints = endpoints_of(service, port, slices, node_name)
        name = f"{key}:{port.port}/{protocol}"
        found[name] = _service_port(service, port, name, protocol, endpoints)
    return found


def _service_port(
    service: Service,
    port: PortOfService,
    name: str,
    protocol: TransportProtocol,
    endpoints: tuple[Endpoint, ...],
) -> ServicePort:
    sticky = service.spec.session_affinity == "ClientIP"
    return ServicePort(
        name=name,
        protocol=protocol,
        address=IPv4Address(service.spec.cluster_ip),
        port=port.port,
        node_port=port.node_port,
        endpoints=endpoints,
        affinity_seconds=(
            service.spec.session_affinity_config.client_ip.timeout_seconds if sticky else 0
        ),
    )


def endpoints_of(
    service: Service, port: PortOfService, slices: Iterable[EndpointSlice], node_name: str
) -> tuple[Endpoint, ...]:
    """Where new connections to a port go: ready endpoints, else serving ones that terminate."""
    local_only = service.spec.internal_traffic_policy == "Local"
    candidates = [
        (endpoint, number)
        for item in slices
        if item.address_type == "IPv4"
        for number in _numbers(item.ports, port)
        for endpoint in item.endpoints
        if not local_only or endpoint.node_name == node_name
    ]
    chosen = [pair for pair in candidates if pair[0].is_ready]
    if not chosen:
        chosen = [pair for pair in candidates if pair[0].is_serving_while_terminating]
    found = {Endpoint(_address(endpoint), number) for endpoint, number in chosen}
    return tuple(sorted(found))


def _numbers(ports: tuple[SlicePort, ...], wanted: PortOfService) -> list[int]:
    return [
        port.port for port in ports if port.name == wanted.name and port.protocol == wanted.protocol
    ]


def _address(endpoint: SliceEndpoint) -> IPv4Address:
    """All addresses of an endpoint are the same pod; the first is the one to use."""
    return IPv4Address(endpoint.addresses[0])
