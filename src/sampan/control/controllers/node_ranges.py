"""Gives every node a range of its own out of the pods' addresses: the lowest /24 that is free.

All nodes are planned as one, so that no range is given twice. The first range is kept for
node-1, whoever comes first; the others get it only when nothing else is left.
"""

from collections.abc import Iterable
from datetime import datetime
from ipaddress import IPv4Network

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch
from sampan.control.controllers.views import Node
from sampan.kubernetes.kinds.resource import NODES

ACCOUNT = "node-controller"
COMPONENT = "node-ipam-controller"
FIRST_NODE = "node-1"
_PREFIX_LENGTH = 24
_KEY = "ranges"


class Snapshot(msgspec.Struct, frozen=True):
    nodes: tuple[Node, ...]
    pod_range: IPv4Network


def plan(snapshot: Snapshot, _now: datetime) -> plans.Plan:
    """Assign a range to each node without one; a node that finds none is told in an event."""
    taken = {node.spec.pod_cidr for node in snapshot.nodes}
    waiting = sorted(
        (node for node in snapshot.nodes if not node.spec.pod_cidr),
        key=lambda node: (node.metadata.name != FIRST_NODE, node.metadata.name),
    )
    first, *others = (str(each) for each in snapshot.pod_range.subnets(new_prefix=_PREFIX_LENGTH))
    has_first = bool(waiting) and waiting[0].metadata.name == FIRST_NODE
    order = [first, *others] if has_first else [*others, first]
    free = (network for network in order if network not in taken)
    chosen = [(node, next(free, None)) for node in waiting]
    return plans.Plan(
        actions=tuple(_assignment(node, network) for node, network in chosen if network),
        reports=tuple(_exhaustion(node) for node, network in chosen if network is None),
    )


def _assignment(node: Node, network: str) -> plans.Patch:
    return plans.Patch(
        resource=NODES,
        name=node.metadata.name,
        uid=node.metadata.uid,
        resource_version=node.metadata.resource_version,
        body={"spec": {"podCIDR": network, "podCIDRs": [network]}},
    )


def _exhaustion(node: Node) -> plans.Report:
    return plans.Report(
        plans.reference(NODES, node.metadata),
        "Warning",
        "CIDRNotAvailable",
        f"Node {node.metadata.name} status is now: CIDRNotAvailable",
    )


def controller(pod_range: IPv4Network) -> Controller[Snapshot]:
    """`pod_range` is what all pods' addresses are taken from."""

    def observe(caches: Caches, _key: str, _circumstances: Circumstances) -> Snapshot:
        return Snapshot(caches.nodes.all(), pod_range)

    return Controller(
        account=ACCOUNT,
        component=COMPONENT,
        watches=(Watch(lambda caches: caches.nodes, _keys),),
        observe=observe,
        plan=plan,
        workers=1,
    )


def _keys(_caches: Caches, _old: Node | None, new: Node | None) -> Iterable[str]:
    """A node without a range wakes the plan, and so does one that sets its range free."""
    return (_KEY,) if new is None or not new.spec.pod_cidr else ()
