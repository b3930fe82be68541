"""The packet rules of bridges: a pure function from what is desired to four tables of nft(8).

`ip` and `ip6` translate published ports, `inet` guards and separates bridges, `bridge` guards their
ports. What changes with every container is an element of a set or map; what changes with
bridges alone is text, put in the place of what was there in one transaction, by which no port is
lost for a moment.
"""

from collections.abc import Collection, Iterable, Iterator

from sampan.network.bridges.contract import Bridge, GatewayMode

FAMILIES = ("ip", "ip6", "inet", "bridge")
# A container's frames reach this chain before anything else looks at them.
_FIRST = -300
_SETS_OF_BRIDGES = ("bridges", "internal", "joined")
# The target address of a neighbour advertisement (RFC 4861, section 4.4).
_ADVERTISED = "@th,64,128"
_PROTOCOLS = "meta l4proto { tcp, udp, sctp }"
_TRANSLATED = {"ip": _PROTOCOLS, "ip6": f"ip6 daddr != ::1 {_PROTOCOLS}"}


def bridge_tables(table: str, port_prefix: str, bridges: Collection[Bridge]) -> str:
    """All the tables, with empty sets of ports, replacing what was there."""
    removals = "\n".join(removal(family, table) for family in FAMILIES)
    return f"""
        {removals}
        table ip {table} {{
            {_translation("ip")}
        }}
        table ip6 {table} {{
            {_translation("ip6")}
        }}
        table inet {table} {{
            {_sets_of_ports()}
            {_guard_and_separation(bridges)}
        }}
        table bridge {table} {{
            {_port_guard(port_prefix)}
        }}
    """


def changed_bridges(table: str, bridges: Collection[Bridge]) -> str:
    """What differs in the same tables for other bridges; what they hold of ports stays there."""
    emptied = "\n".join(f"flush set inet {table} {name}" for name in _SETS_OF_BRIDGES)
    return f"""
        flush table inet {table}
        {emptied}
        table inet {table} {{
            {_guard_and_separation(bridges)}
        }}
    """


def _guard_and_separation(bridges: Collection[Bridge]) -> str:
    parts = (_sets(bridges), _guard(), _separation(bridges), _masquerade(bridges))
    return "\n".join(parts)


def removal(family: str, table: str) -> str:
    """Commands that remove a table; it is made first, as one that is not there can't be."""
    return f"table {family} {table}\ndelete table {family} {table}"


def _translation(family: str) -> str:
    """A port published on one address goes before one that is published on all. What is sent to
    ::1 is no rule's: its answers would be dropped where they arrive."""
    local = f"fib daddr type local {_TRANSLATED[family]}"
    lookups = f"""
                {local} dnat to {family} daddr . meta l4proto . th dport map @published
                {local} dnat to meta l4proto . th dport map @published_everywhere
    """
    target = f"{family} daddr . th dport"
    return f"""
            map published {{ typeof {family} daddr . meta l4proto . th dport : {target}
            }}
            map published_everywhere {{ typeof meta l4proto . th dport : {target}
            }}
            chain arriving {{
                type nat hook prerouting priority dstnat; policy accept;
                {lookups}
            }}
            chain leaving {{
                type nat hook output priority -100; policy accept;
                {lookups}
            }}
    """


def _sets_of_ports() -> str:
    return """
            set opened4 { typeof ip daddr . meta l4proto . th dport
            }
            set opened6 { typeof ip6 daddr . meta l4proto . th dport
            }
    """


def _sets(bridges: Collection[Bridge]) -> str:
    every = [bridge.device for bridge in bridges]
    inside = [bridge.device for bridge in bridges if bridge.internal]
    joined = [f'{bridge.device}" . "{bridge.device}' for bridge in bridges if not bridge.isolated]
    kinds = ("ifname", "ifname", "ifname . ifname")
    return "".join(map(_set, _SETS_OF_BRIDGES, kinds, (every, inside, joined)))


def _set(name: str, kind: str, elements: Iterable[str]) -> str:
    listed = ", ".join(f'"{element}"' for element in elements)
    content = f"elements = {{ {listed} }}" if listed else ""
    return f"""
            set {name} {{ type {kind}; {content}
            }}
    """


def _guard() -> str:
    """route_localnet, which ports published on 127.0.0.1 need, would let containers reach what
    listens there."""
    return """
            chain guard {
                type filter hook prerouting priority raw; policy accept;
                iifname @bridges ip daddr 127.0.0.0/8 drop
                iifname @bridges ip saddr 127.0.0.0/8 drop
            }
    """


def _separation(bridges: Collection[Bridge]) -> str:
    """Who may open a connection to whom. Into a bridge: its own ports (a host that lets bridged
    frames pass here), what was addressed to a published port, and to a bridge that is routed or
    not protected what its mode lets in."""
    open_bridges = "\n                ".join(
        rule for bridge in bridges for rule in _let_in(bridge) if not bridge.internal
    )
    return f"""
            chain forwarded {{
                type filter hook forward priority filter; policy accept;
                ct state established,related accept
                iifname @bridges ct state invalid drop
                iifname . oifname @joined accept
                iifname @internal drop
                oifname @internal drop
                oifname @bridges ct status dnat accept
                oifname @bridges {_PROTOCOLS} ip daddr . meta l4proto . th dport @opened4 accept
                oifname @bridges {_PROTOCOLS} ip6 daddr . meta l4proto . th dport @opened6 accept
                {open_bridges}
                oifname @bridges drop
            }}
    """


def _let_in(bridge: Bridge) -> Iterator[str]:
    """From outside of all bridges: anything, or the questions of ping(8)."""
    into = f'iifname != @bridges oifname "{bridge.device}"'
    for mode, anything, echo in (
        (bridge.mode, "meta nfproto ipv4", "icmp type echo-request"),
        (bridge.mode6, "meta nfproto ipv6", "icmpv6 type echo-request"),
    ):
        if mode == "nat-unprotected":
            yield f"{into} {anything} accept"
        elif mode == "routed":
            yield f"{into} {echo} accept"


def _masquerade(bridges: Collection[Bridge]) -> str:
    """Whose source must become the machine's, so that the answer comes back through it: what
    leaves a bridge, and what reaches a published port from 127.0.0.1 or from the same bridge."""
    rules = ["ct status dnat oifname @bridges ip saddr 127.0.0.0/8 masquerade"]
    for bridge in bridges:
        if bridge.gateway is not None:
            subnet = bridge.gateway.network
            rules.append(f'ct status dnat oifname "{bridge.device}" ip saddr {subnet} masquerade')
            if _translates(bridge, bridge.mode):
                verdict = f"snat ip to {bridge.source}" if bridge.source else "masquerade"
                rules.append(f'ip saddr {subnet} oifname != "{bridge.device}" {verdict}')
        if bridge.gateway6 is not None:
            subnet6 = bridge.gateway6.network
            rules.append(f'ct status dnat oifname "{bridge.device}" ip6 saddr {subnet6} masquerade')
            if _translates(bridge, bridge.mode6):
                verdict = f"snat ip6 to {bridge.source6}" if bridge.source6 else "masquerade"
                rules.append(f'ip6 saddr {subnet6} oifname != "{bridge.device}" {verdict}')
    listed = "\n                ".join(rules)
    return f"""
            chain outgoing {{
                type nat hook postrouting priority srcnat; policy accept;
                {listed}
            }}
    """


def _translates(bridge: Bridge, mode: GatewayMode) -> bool:
    return bridge.masquerade and not bridge.internal and mode != "routed"


def _port_guard(port_prefix: str) -> str:
    """A port speaks with its own hardware address and addresses alone, and is no router.

    Probing whether an address is free (RFC 5227, RFC 4862) claims none.
    """
    here = "iifname . ether saddr"
    return f"""
            set stations {{ type ifname . ether_addr
            }}
            set addresses {{ type ifname . ether_addr . ipv4_addr
            }}
            set addresses6 {{ type ifname . ether_addr . ipv6_addr
            }}
            set targets6 {{ typeof {here} . {_ADVERTISED}
            }}
            chain guard {{
                type filter hook prerouting priority {_FIRST}; policy accept;
                iifname != "{port_prefix}*" accept
                {here} != @stations drop
                ether type arp iifname . arp saddr ether . arp saddr ip @addresses accept
                ether type arp arp operation request arp saddr ip 0.0.0.0 accept
                ether type ip {here} . ip saddr @addresses accept
                icmpv6 type nd-router-advert drop
                icmpv6 type nd-neighbor-advert {here} . {_ADVERTISED} != @targets6 drop
                ether type ip6 {here} . ip6 saddr @addresses6 accept
                ether type ip6 ip6 saddr :: accept
                drop
            }}
    """
