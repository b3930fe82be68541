"""From Services and EndpointSlices to names of the cluster's zone. Pure.

Rules: "Kubernetes DNS-Based Service Discovery", specification 1.1.0.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address

from sampan.network.contract import DnsRecords
from sampan.node.cluster_view import EndpointSlice, Service, SliceEndpoint


def names_of(service: Service, slices: Iterable[EndpointSlice], domain: str) -> DnsRecords:
    """Every name that one service gives rise to; an ExternalName gives none."""
    zone = f"{service.metadata.name}.{service.metadata.namespace}.svc.{domain}".lower()
    if service.has_address:
        return _of_address(service, zone)
    if service.is_headless:
        return _of_endpoints(service, tuple(slices), zone)
    return DnsRecords()


def _of_address(service: Service, zone: str) -> DnsRecords:
    address = IPv4Address(service.spec.cluster_ip)
    ports: dict[str, tuple[tuple[int, str], ...]] = {
        f"_{port.name}._{port.protocol}.{zone}".lower(): ((port.port, zone),)
        for port in service.spec.ports
        if port.name
    }
    return DnsRecords(addresses={zone: (address,)}, services=ports, pointers={address: zone})


def _of_endpoints(service: Service, slices: tuple[EndpointSlice, ...], zone: str) -> DnsRecords:
    """A headless service: its pods' addresses, and a name for each pod."""
    addresses: dict[str, set[IPv4Address]] = {}
    ports: dict[str, set[tuple[int, str]]] = {}
    pointers: dict[IPv4Address, str] = {}
    for item in slices:
        for endpoint in item.endpoints if item.address_type == "IPv4" else ():
            if not (endpoint.is_ready or service.spec.publish_not_ready_addresses):
                continue
            address = IPv4Address(endpoint.addresses[0])
            name = f"{_label(endpoint, address)}.{zone}"
            addresses.setdefault(zone, set()).add(address)
            addresses.setdefault(name, set()).add(address)
            if endpoint.hostname:
                pointers[address] = name
            for port in item.ports:
                if port.name:
                    full = f"_{port.name}._{port.protocol}.{zone}".lower()
                    ports.setdefault(full, set()).add((port.port, name))
    return DnsRecords(
        addresses={name: tuple(sorted(found)) for name, found in addresses.items()},
        services={name: tuple(sorted(found)) for name, found in ports.items()},
        pointers=pointers,
    )


def _label(endpoint: SliceEndpoint, address: IPv4Address) -> str:
    return endpoint.hostname.lower() or str(address).replace(".", "-")


def removed_names(old: DnsRecords, new: DnsRecords) -> tuple[str, ...]:
    """The names that were there and are no more, reverse names of addresses among them."""
    before = old.addresses.keys() | old.services.keys()
    after = new.addresses.keys() | new.services.keys()
    reverse = old.pointers.keys() - new.pointers.keys()
    return tuple(sorted(before - after)) + tuple(
        address.reverse_pointer for address in sorted(reverse)
    )
