"""How many addresses of a network are taken: `Status` of an inspection since API 1.52. Pure.

Source: the Engine API's schemas `NetworkStatus`, `IPAMStatus` and `SubnetStatus`.
"""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from typing import Any

from sampan.engine.networks.contract import AddressPool, NetworkDetail

_MOST = (1 << 64) - 1


def document(network: NetworkDetail) -> dict[str, Any]:
    pools = [pool for pool in network.ipam.configuration if pool.subnet]
    return {"IPAM": {"Subnets": {pool.subnet: _subnet(network, pool) for pool in pools}}}


def _subnet(network: NetworkDetail, pool: AddressPool) -> dict[str, int]:
    subnet = ip_network(pool.subnet)
    chosen_from = ip_network(pool.ip_range) if pool.ip_range else subnet
    taken = _reserved(subnet, pool)
    for container in network.containers.values():
        for text in (container.ipv4_address, container.ipv6_address):
            if text and (address := ip_interface(text).ip) in subnet:
                taken.add(address)
    free = chosen_from.num_addresses - sum(address in chosen_from for address in taken)
    return {"IPsInUse": min(len(taken), _MOST), "DynamicIPsAvailable": min(free, _MOST)}


def _reserved(subnet: IPv4Network | IPv6Network, pool: AddressPool) -> set[Any]:
    """The network's own address (of IPv6 that of any router), its broadcast, the gateway, and
    what is named as somebody else's."""
    reserved = {subnet.network_address}
    if subnet.version == 4:
        reserved.add(subnet.broadcast_address)
    named = [pool.gateway, *(pool.auxiliary_addresses or {}).values()]
    return reserved | {ip_address(text) for text in named if text}
