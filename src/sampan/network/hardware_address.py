"""Ethernet addresses that follow from IP addresses, so that nobody has to exchange them.

All are locally administered (IEEE 802: second bit of the first octet). Pure.
"""

from ipaddress import IPv4Address

_POD, _GATEWAY, _OVERLAY, _CONTAINER = 0x70, 0x67, 0x76, 0x42


def pod_hardware_address(address: IPv4Address) -> str:
    """That of a pod's interface."""
    return _derived(_POD, address)


def container_hardware_address(address: IPv4Address) -> str:
    """That of a container's interface, as Docker derives it."""
    return _derived(_CONTAINER, address)


def gateway_hardware_address(gateway: IPv4Address) -> str:
    """That of a node's pod bridge, which stays when the bridge is made anew."""
    return _derived(_GATEWAY, gateway)


def overlay_hardware_address(node_address: IPv4Address) -> str:
    """That of a node's overlay device."""
    return _derived(_OVERLAY, node_address)


def _derived(purpose: int, address: IPv4Address) -> str:
    return (bytes((0x02, purpose)) + address.packed).hex(":")
