"""What controllers are told when they start."""

from ipaddress import IPv4Network

import msgspec


class ControllerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`root_certificate` is the cluster's authority as PEM, published to every namespace.

    A node that has not been heard for `node_grace_seconds` is taken for dead; nodes renew their
    leases every second, so that the default allows for three that get lost.
    """

    pod_range: IPv4Network
    root_certificate: str
    node_grace_seconds: float = 4.0
    finished_pods_kept: int = 12500
