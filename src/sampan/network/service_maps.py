"""From services to the elements of packet maps: a pure plan, and the tables that hold it.

No chain a service: the kernel validates every chain of a table whenever a rule of it changes,
55 ms with ten thousand of them. Instead, two hash maps and one chain for each *number* of
endpoints, shared by all services that have so many:

    services   address . protocol . port          -> goto endpoints-3
    endpoints  address . protocol . port . index  -> endpoint's address . port

The chain `endpoints-3` draws an index below 3 and translates to what the map holds for it. A
packet that drew the index of an endpoint which vanished at that moment takes index 0.
NodePorts have the same pair of maps without the address. Above 32 endpoints there are chains
for powers of two alone: a service then fills so many indexes that each endpoint has four or more.
"""

import struct
from collections.abc import Iterator
from hashlib import sha256
from ipaddress import IPv4Address

from sampan.host.nftables_netlink import Element
from sampan.network.contract import NodeNetwork, ServicePort, TransportProtocol

_MOST_EXACT = 32
_SHARED_SLOTS = (256, 512, 1024, 2048, 4096)
_SLOTS_AN_ENDPOINT = 4

SERVICES, ENDPOINTS = "services", "endpoints"
NODE_PORTS, NODE_ENDPOINTS = "node_ports", "node_endpoints"
UNREADY = "unready"
MAPS = (SERVICES, ENDPOINTS, NODE_PORTS, NODE_ENDPOINTS, UNREADY)

Elements = dict[tuple[str, bytes], Element]
_PROTOCOLS: dict[TransportProtocol, int] = {"tcp": 6, "udp": 17}


def service_elements(port: ServicePort, chain: str = "") -> Elements:
    """The elements of one service port by map and key.

    `chain` is where its packets go if not to the chain of its endpoints' number (session
    affinity). A port without endpoints has no elements but for its external addresses, which
    no range rejects.
    """
    if not port.endpoints:
        return dict(_unready(port))
    elements: Elements = {}
    count = slots(len(port.endpoints))
    addresses = (*((port.address,) if port.address else ()), *port.external_addresses)
    for address in addresses:
        key = address.packed + _transport(port.protocol, port.port)
        _add(elements, (SERVICES, ENDPOINTS), key, port, chain or f"endpoints-{count}")
    if port.node_port:
        key = _transport(port.protocol, port.node_port)
        _add(elements, (NODE_PORTS, NODE_ENDPOINTS), key, port, chain or f"node-endpoints-{count}")
    return elements


def slots(endpoints: int) -> int:
    """How many indexes a service with this many endpoints fills."""
    if endpoints <= _MOST_EXACT:
        return endpoints
    fitting = (each for each in _SHARED_SLOTS if each >= _SLOTS_AN_ENDPOINT * endpoints)
    return next(fitting, _SHARED_SLOTS[-1])


def _add(
    elements: Elements, maps: tuple[str, str], key: bytes, port: ServicePort, chain: str
) -> None:
    verdicts, endpoints = maps
    elements[verdicts, key] = Element(key, goto=chain)
    if not port.affinity_seconds:
        count = len(port.endpoints)
        for index in range(slots(count)):
            endpoint = port.endpoints[index % count]
            indexed = key + struct.pack("=I", index)
            data = endpoint.address.packed + struct.pack(">HH", endpoint.port, 0)
            elements[endpoints, indexed] = Element(indexed, data)


def _unready(port: ServicePort) -> Iterator[tuple[tuple[str, bytes], Element]]:
    for address in port.external_addresses:
        key = address.packed + _transport(port.protocol, port.port)
        yield (UNREADY, key), Element(key)


def _transport(protocol: TransportProtocol, port: int) -> bytes:
    """Each part of a key fills four bytes."""
    return struct.pack(">BxxxHH", _PROTOCOLS[protocol], port, 0)


def layout_mark(network: NodeNetwork) -> str:
    """The comment by which a table made with the same chains is known again."""
    content = _layout(network).encode()
    return f"layout {sha256(content).hexdigest()[:16]}"


def service_table(network: NodeNetwork) -> str:
    """The empty maps and the chains, replacing what was there in one transaction."""
    table = f"ip {network.packet_table}"
    return f"""
        table {table}
        delete table {table}
        table {table} {{
            {_layout(network)}
            chain layout {{
                return comment "{layout_mark(network)}"
            }}
        }}
    """


def _layout(network: NodeNetwork) -> str:
    counts = (*range(1, _MOST_EXACT + 1), *_SHARED_SLOTS)
    chains = "".join(_endpoint_chains(count) for count in counts)
    drawn = "numgen random mod 2 : ip daddr . th dport"
    return f"""
            map {ENDPOINTS} {{ typeof ip daddr . meta l4proto . th dport . {drawn}
            }}
            map {NODE_ENDPOINTS} {{ typeof meta l4proto . th dport . {drawn}
            }}
            map {SERVICES} {{ type ipv4_addr . inet_proto . inet_service : verdict
            }}
            map {NODE_PORTS} {{ type inet_proto . inet_service : verdict
            }}
            set {UNREADY} {{ type ipv4_addr . inet_proto . inet_service
            }}
            {chains}
            {_entrances(network)}
            {_rejections()}
    """


def _endpoint_chains(count: int) -> str:
    """The chains for services that fill so many indexes, without their table."""
    service_key = "ip daddr . meta l4proto . th dport"
    node_key = "meta l4proto . th dport"
    return _endpoint_chain(f"endpoints-{count}", service_key, count, ENDPOINTS) + _endpoint_chain(
        f"node-endpoints-{count}", node_key, count, NODE_ENDPOINTS
    )


def _endpoint_chain(chain: str, key: str, count: int, endpoints: str) -> str:
    translate = f"meta l4proto {{ tcp, udp }} dnat to {key} . numgen random mod"
    return f"""
            chain {chain} {{
                {translate} {count} map @{endpoints}
                {translate} 1 map @{endpoints}
            }}
    """


def _entrances(network: NodeNetwork) -> str:
    """Where packets are looked up: what comes in by our own interfaces, and what local
    programs send. NodePorts answer on the node's own addresses alone."""
    inside = f'{{ "lo", "{network.bridge}", "{network.overlay_device}", "{network.node_device}" }}'
    arriving = _set_of(network.node_address, network.gateway)
    leaving = _set_of(network.node_address, network.gateway, network.loopback_address)
    lookup = f"ip daddr . meta l4proto . th dport vmap @{SERVICES}"
    node_lookup = f"meta l4proto . th dport vmap @{NODE_PORTS}"
    return f"""
            chain arriving {{
                type nat hook prerouting priority dstnat; policy accept;
                iifname {inside} {lookup}
                iifname {inside} ip daddr {arriving} {node_lookup}
            }}
            chain leaving {{
                type nat hook output priority -100; policy accept;
                {lookup}
                ip daddr {leaving} {node_lookup}
            }}
    """


def _rejections() -> str:
    """External addresses of services without endpoints, wherever they lead."""
    unready = f"ip daddr . meta l4proto . th dport @{UNREADY}"
    return "".join(
        f"""
            chain reject-{hook} {{
                type filter hook {hook} priority filter; policy accept;
                {unready} meta l4proto tcp reject with tcp reset
                {unready} reject with icmp type port-unreachable
            }}
        """
        for hook in ("input", "forward", "output")
    )


def _set_of(*addresses: IPv4Address | None) -> str:
    return f"{{ {', '.join(str(address) for address in addresses if address is not None)} }}"
