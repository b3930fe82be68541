"""Taking all bridges of an instance off the machine, whoever made them and whatever they are
called: the kernel's own rules tell which there are."""

import errno

from sampan.host.netlink import Netlink
from sampan.host.netlink_message import NetlinkError
from sampan.network.bridges.tables import FAMILIES, removal
from sampan.network.forward_policy import ForwardPolicy
from sampan.network.ruleset import Ruleset


def remove_bridges(table: str, ruleset: Ruleset, netlink: Netlink) -> None:
    """Remove bridges and their rules; no error if there are none (OSError, NftablesError)."""
    devices = _bridges(table, ruleset)
    for device in devices:
        netlink.delete_link(device)
    ForwardPolicy(ruleset, devices, table).take_down()
    ruleset.run("\n".join(removal(family, table) for family in FAMILIES))


def _bridges(table: str, ruleset: Ruleset) -> tuple[str, ...]:
    try:
        elements = ruleset.elements("inet", table, "bridges")
    except NetlinkError as refusal:
        if refusal.errno == errno.ENOENT:
            return ()
        raise
    return tuple(element.key.rstrip(b"\0").decode() for element in elements)
