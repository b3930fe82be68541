"""The packet rules that every node has whatever its services: guards, rejection, masquerade.

A pure function from a node's facts to two tables in the language of nft(8): `inet` for packets
and `bridge` for the frames of pods. The service maps are a table of their own.

Each pod has a /32 and speaks to its gateway only, so every packet of a pod is routed and
tracked by the node; the bridge's guard takes frames for anybody else, and packets whose source
is not the port's own address.
"""

from ipaddress import IPv4Address

from sampan.network.contract import NodeNetwork
from sampan.network.hardware_address import gateway_hardware_address

OVERLAY_PORT = 8472
_PORT_SUFFIX = "pod"


def port_name(network: NodeNetwork, address: IPv4Address) -> str:
    """The node's end of the pair that leads to the pod with this address: `sampan-pod7`."""
    return f"{_port_prefix(network)}{int(address) - int(network.pod_subnet.network_address)}"


def _port_prefix(network: NodeNetwork) -> str:
    return network.bridge.removesuffix("pods") + _PORT_SUFFIX


def base_tables(network: NodeNetwork, peers: frozenset[IPv4Address]) -> str:
    """Both tables, replacing what was there in one transaction."""
    table = network.packet_table
    return f"""
        table inet {table}
        delete table inet {table}
        table bridge {table}
        delete table bridge {table}
        table inet {table} {{
            {_sets(network, peers)}
            {_guard(network)}
            {_rejection(network)}
            {_masquerade(network)}
        }}
        table bridge {table} {{
            {_port_guard(network)}
        }}
    """


def _pod_addresses(network: NodeNetwork) -> list[IPv4Address]:
    return list(network.pod_subnet)[2:-1]


def _sets(network: NodeNetwork, peers: frozenset[IPv4Address]) -> str:
    listed = ", ".join(str(peer) for peer in sorted(peers))
    elements = f"elements = {{ {listed} }}" if peers else ""
    own = ", ".join(f"{address} . {address}" for address in _pod_addresses(network))
    return f"""
            set peers {{ type ipv4_addr; {elements}
            }}
            set hairpin {{ type ipv4_addr . ipv4_addr; elements = {{ {own} }}
            }}
    """


def _guard(network: NodeNetwork) -> str:
    """What is dropped before it is tracked, and what is not tracked: the overlay's envelopes,
    as their content is.

    Packets that claim to come from or go to loopback: route_localnet, which NodePorts on
    127.0.0.1 need, would let neighbours reach it. Overlay packets of our identifier that come
    from no peer. Pod addresses from where no pod is.
    """
    overlay = f"udp dport {OVERLAY_PORT} @th,96,24 {network.overlay_identifier}"
    inside = f'{{ "lo", "{network.bridge}", "{network.overlay_device}" }}'
    return f"""
            chain guard {{
                type filter hook prerouting priority raw; policy accept;
                iifname != "lo" ip daddr 127.0.0.0/8 drop
                iifname != "lo" ip saddr 127.0.0.0/8 drop
                {overlay} iifname != "{network.node_device}" drop
                {overlay} fib daddr type local ip saddr != @peers drop
                iifname "{network.bridge}" ip saddr != {network.pod_subnet} drop
                iifname "{network.overlay_device}" ip saddr != {network.pod_range} drop
                iifname "{network.overlay_device}" ip saddr {network.pod_subnet} drop
                iifname != {inside} ip saddr {network.pod_range} drop
                {overlay} ip daddr {network.node_address} notrack
            }}
            chain sent_untracked {{
                type filter hook output priority raw; policy accept;
                {overlay} ip saddr {network.node_address} notrack
            }}
    """


def _rejection(network: NodeNetwork) -> str:
    """Service addresses that were not translated, strangers who would reach pods, and what
    belongs to no connection: its source would not be translated back, and resets would follow.
    """
    inside = f'{{ "{network.bridge}", "{network.overlay_device}", "{network.node_device}" }}'
    pods = f'{{ "{network.bridge}", "{network.overlay_device}" }}'
    services = f"""
                ip daddr {network.service_range} meta l4proto tcp reject with tcp reset
                ip daddr {network.service_range} reject with icmp type port-unreachable
    """
    return f"""
            chain forwarded {{
                type filter hook forward priority filter; policy accept;
                {services}
                iifname != {inside} oifname {pods} ct state new drop
                iifname {pods} ct state invalid drop
            }}
            chain sent {{
                type filter hook output priority filter; policy accept;
                {services}
            }}
    """


def _masquerade(network: NodeNetwork) -> str:
    """Whose source must become this node's, so that the answer comes back through it.

    Whoever is no pod of this node and is sent on to another's; a program on 127.0.0.1 that
    reaches a pod; a pod that reaches itself through its service; a pod that speaks to a node
    (which else would answer by the overlay) or to the world.
    """
    inside = f"{{ {network.pod_range}, {network.service_range} }}"
    to_pods = f'oifname "{network.bridge}"'
    strangers = f"ip saddr != {network.pod_subnet}"
    return f"""
            chain outgoing {{
                type nat hook postrouting priority srcnat; policy accept;
                oifname "{network.overlay_device}" {strangers} masquerade
                ct status dnat oifname "{network.node_device}" {strangers} masquerade
                ct status dnat {to_pods} ip saddr 127.0.0.0/8 masquerade
                ct status dnat {to_pods} ip saddr . ip daddr @hairpin masquerade
                ip saddr {network.pod_subnet} ip daddr != {inside} masquerade
            }}
    """


def _port_guard(network: NodeNetwork) -> str:
    gateway = network.gateway
    ports = ", ".join(
        f'"{port_name(network, address)}" . {address}' for address in _pod_addresses(network)
    )
    return f"""
            set ports {{ type ifname . ipv4_addr; elements = {{ {ports} }}
            }}
            chain guard {{
                type filter hook prerouting priority -300; policy accept;
                iifname != "{_port_prefix(network)}*" accept
                ether type arp arp daddr ip {gateway} iifname . arp saddr ip @ports accept
                ether daddr != {gateway_hardware_address(gateway)} drop
                ether type ip iifname . ip saddr @ports accept
                drop
            }}
    """
