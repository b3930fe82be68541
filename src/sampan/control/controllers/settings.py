"""What controllers are told when they start."""

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

import msgspec

from sampan.foundation.pki.authority import Authority


class ControllerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`authority` is the cluster's: its certificate is published to every namespace, and it signs
    the certificates that are asked for. `sign_token` makes the tokens that Secrets keep.

    A node that has not been heard for `node_grace_seconds` is taken for dead; nodes renew their
    leases every second, so that the default allows for three that get lost.
    """

    pod_range: IPv4Network
    authority: Authority
    sign_token: Callable[[dict[str, Any]], str]
    node_grace_seconds: float = 4.0
    finished_pods_kept: int = 12500
