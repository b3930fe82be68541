"""The private bridge that joins the nodes of one machine, and the link of each node to it.

The machine itself is node 1 and has the bridge's own address. Nothing from outside the machine
reaches the bridge's range; nodes reach the outside through the machine, masqueraded.
"""

import os
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from sampan.daemon.node_list import MACHINE_NODE
from sampan.foundation.settings import Instance
from sampan.host.netlink import Netlink
from sampan.host.nftables import Nftables

NODE_DEVICE = "eth0"
_EVERYWHERE = IPv4Network("0.0.0.0/0")


def bridge_name(instance: Instance) -> str:
    return instance.interface("nodes")


def link_name(instance: Instance, number: int) -> str:
    """The machine's end of a node's link."""
    return instance.interface(f"node-{number}")


def packet_table(instance: Instance) -> str:
    """The machine's own nftables table of family ip, beside that of its node.

    The underscore is in no instance's name.
    """
    return f"{instance.packet_table}_machine"


def hardware_address(address: IPv4Address) -> str:
    """A locally administered one that follows from the address, the same after each start."""
    return "02:5a:" + ":".join(f"{octet:02x}" for octet in address.packed)


def set_up(instance: Instance) -> None:
    """Make the bridge and its rules; what is there is kept. Raises OSError, NftablesError."""
    address = instance.node_address(MACHINE_NODE)
    name = bridge_name(instance)
    with Netlink() as netlink:
        if netlink.link(name) is None:
            netlink.create_bridge(name, hardware_address=hardware_address(address))
        netlink.add_address(name, _interface(instance, MACHINE_NODE))
        netlink.set_up("lo")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    _leave_alone_by_bridge_filter(name)
    with Nftables() as rules:
        rules.run(packet_rules(instance))


def packet_rules(instance: Instance) -> str:
    """The whole table as one transaction in the language of nft(8). Pure."""
    table = f"ip {packet_table(instance)}"
    own = ", ".join(
        f'"{name}"'
        for name in (
            "lo",
            bridge_name(instance),
            instance.interface("pods"),
            instance.interface("vxlan"),
        )
    )
    inside = f"{{ {instance.pod_range}, {instance.service_range}, {instance.node_range} }}"
    return f"""
        table {table} {{}}
        delete table {table}
        table {table} {{
            chain guard {{
                type filter hook prerouting priority raw; policy accept;
                iifname != {{ {own} }} ip daddr {instance.node_range} drop
            }}
            chain outward {{
                type nat hook postrouting priority srcnat; policy accept;
                ip saddr {instance.node_range} ip daddr != {inside} masquerade
            }}
        }}
    """


def join(instance: Instance, number: int, machine: Netlink) -> None:
    """Link the calling process's network namespace to the bridge as a node's.

    `machine` speaks to the machine's own namespace; a link of this node that is left over
    from before is replaced. Raises OSError.
    """
    name = link_name(instance, number)
    machine.delete_link(name)
    namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        machine.create_veth(
            name,
            peer=NODE_DEVICE,
            peer_namespace=namespace,
            peer_hardware_address=hardware_address(instance.node_address(number)),
            master=bridge_name(instance),
        )
    finally:
        os.close(namespace)
    with Netlink() as own:
        own.set_up("lo")
        own.add_address(NODE_DEVICE, _interface(instance, number))
        own.set_up(NODE_DEVICE)
        own.add_route(_EVERYWHERE, gateway=instance.node_address(MACHINE_NODE))


def cut_link(instance: Instance, number: int) -> None:
    """As if the node's cable were pulled; no error if it has none."""
    with Netlink() as machine:
        machine.delete_link(link_name(instance, number))


def _interface(instance: Instance, number: int) -> IPv4Interface:
    return IPv4Interface((instance.node_address(number), instance.node_range.prefixlen))


def _leave_alone_by_bridge_filter(bridge: str) -> None:
    """Frames between nodes must not pass the FORWARD chains of Docker's making."""
    switch = Path("/sys/class/net") / bridge / "bridge" / "nf_call_iptables"
    if switch.exists():
        switch.write_text("0")
