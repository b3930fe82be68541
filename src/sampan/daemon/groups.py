"""The control groups of an instance's own processes, relative to each controller's root.

Every process that belongs to an instance is in one of them, which is how it is found when
nobody remembers it. Groups that hold processes have no groups below them, as v2 wants.
"""

from sampan.daemon.node_list import node_name
from sampan.foundation.settings import Instance


def system(instance: Instance) -> str:
    """The supervisor and the server."""
    return f"{instance.cgroup}/system"


def engine(instance: Instance) -> str:
    """The engine's process and the keepers of the machine's own containers."""
    return f"{instance.cgroup}/engine"


def node(instance: Instance, number: int) -> str:
    """All that is a node's: its limits are the node's share of the machine."""
    return f"{instance.cgroup}/{node_name(number)}"


def node_system(instance: Instance, number: int) -> str:
    """The node's holder, agent, DNS server and the keepers of its containers."""
    return f"{node(instance, number)}/system"
