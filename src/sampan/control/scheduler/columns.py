"""All nodes as columns: what each can give, what is taken of it, and by whom.

Nodes have slots in NumPy arrays, which grow by doubling; a slot that is free is not `present`.
The table holds facts only; what they mean for a pod is in `filters` and `scores`. A pod counts
where it is bound, or where the scheduler has just decided to bind it, until it is finished.
"""

from collections import defaultdict

import msgspec
import numpy as np
from numpy.typing import NDArray

from sampan.control.scheduler.requirements import RESOURCES, Requirements, node_amounts
from sampan.control.scheduler.views import HostPort, Node

_FIRST_CAPACITY = 16
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


class Placed(msgspec.Struct, frozen=True):
    """A pod that has a node."""

    uid: str
    node: str
    requirements: Requirements
    terminating: bool = False


class Columns:
    """`generation` changes with every change of a node that is not just its pods'."""

    def __init__(self) -> None:
        self.generation = 0
        self.present: Booleans = np.zeros(_FIRST_CAPACITY, dtype=np.bool_)
        self.allocatable: Integers = np.zeros((_FIRST_CAPACITY, len(RESOURCES)), dtype=np.int64)
        self.requested: Integers = np.zeros((_FIRST_CAPACITY, len(RESOURCES)), dtype=np.int64)
        self.weighed: Integers = np.zeros((_FIRST_CAPACITY, 2), dtype=np.int64)
        self.nodes: list[Node | None] = [None] * _FIRST_CAPACITY
        self.slots: dict[str, int] = {}
        self.placed: dict[str, Placed] = {}
        self.averse: dict[str, Placed] = {}
        self.ports: dict[int, dict[HostPort, int]] = defaultdict(dict)
        self._by_node: dict[str, dict[str, Placed]] = defaultdict(dict)
        self._groups: dict[str, Integers] = {}
        self._group_sizes: dict[str, int] = defaultdict(int)

    @property
    def capacity(self) -> int:
        return len(self.nodes)

    def put_node(self, node: Node) -> bool:
        """Add a node, or renew it; whether anything changed that matters for scheduling."""
        name = node.metadata.name
        slot = self.slots.get(name)
        if slot is None:
            slot = self._free_slot()
            self.slots[name] = slot
            self.present[slot] = True
            self._set_node(slot, node)
            for each in self._by_node.get(name, {}).values():
                self._count(slot, each, 1)
            return True
        before = self.nodes[slot]
        if before is not None and _same(before, node):
            return False
        self._set_node(slot, node)
        return True

    def drop_node(self, name: str) -> None:
        """Forget a node; its pods are remembered in case that it comes back."""
        slot = self.slots.pop(name, None)
        if slot is None:
            return
        for each in self._by_node.get(name, {}).values():
            self._count(slot, each, -1)
        self.present[slot] = False
        self.allocatable[slot] = 0
        self.nodes[slot] = None
        self.ports.pop(slot, None)
        self.generation += 1

    def put_pod(self, placed: Placed) -> None:
        """Count a pod on its node; one that was counted elsewhere or otherwise moves."""
        if self.placed.get(placed.uid) == placed:
            return
        self.drop_pod(placed.uid)
        self.placed[placed.uid] = placed
        self._by_node[placed.node][placed.uid] = placed
        if placed.requirements.anti_affinity:
            self.averse[placed.uid] = placed
        slot = self.slots.get(placed.node)
        if slot is not None:
            self._count(slot, placed, 1)

    def drop_pod(self, uid: str) -> bool:
        """Count a pod no more; whether it was counted."""
        placed = self.placed.pop(uid, None)
        if placed is None:
            return False
        self.averse.pop(uid, None)
        pods = self._by_node[placed.node]
        del pods[uid]
        slot = self.slots.get(placed.node)
        if slot is not None:
            self._count(slot, placed, -1)
        if not pods:
            del self._by_node[placed.node]
        return True

    def siblings(self, group: str) -> Integers:
        """How many pods of a group each node has."""
        found = self._groups.get(group)
        return found if found is not None else np.zeros(self.capacity, dtype=np.int64)

    def _set_node(self, slot: int, node: Node) -> None:
        self.nodes[slot] = node
        self.allocatable[slot] = node_amounts(node)
        self.generation += 1

    def _count(self, slot: int, placed: Placed, sign: int) -> None:
        needs = placed.requirements
        self.requested[slot] += sign * np.array(needs.amounts, dtype=np.int64)
        self.weighed[slot] += sign * np.array(needs.weights, dtype=np.int64)
        self._count_ports(slot, needs.ports, sign)
        if placed.terminating:
            return
        group = needs.group
        if group not in self._groups:
            self._groups[group] = np.zeros(self.capacity, dtype=np.int64)
        self._groups[group][slot] += sign
        self._group_sizes[group] += sign
        if not self._group_sizes[group]:
            del self._groups[group], self._group_sizes[group]

    def _count_ports(self, slot: int, ports: tuple[HostPort, ...], sign: int) -> None:
        taken = self.ports[slot]
        for port in ports:
            taken[port] = taken.get(port, 0) + sign
            if not taken[port]:
                del taken[port]

    def _free_slot(self) -> int:
        if len(self.slots) == self.capacity:
            self._grow()
        return int(np.argmin(self.present))

    def _grow(self) -> None:
        more = self.capacity
        self.present = np.concatenate([self.present, np.zeros(more, dtype=np.bool_)])
        self.allocatable = _longer(self.allocatable)
        self.requested = _longer(self.requested)
        self.weighed = _longer(self.weighed)
        self._groups = {group: _longer(counts) for group, counts in self._groups.items()}
        self.nodes.extend([None] * more)
        self.generation += 1


def _longer(column: Integers) -> Integers:
    return np.concatenate([column, np.zeros_like(column)])


def _same(one: Node, other: Node) -> bool:
    return (
        one.spec == other.spec
        and one.status == other.status
        and one.metadata.labels == other.metadata.labels
        and one.metadata.uid == other.metadata.uid
    )
