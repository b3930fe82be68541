"""Which of the possible nodes is the best for a pod. Pure.

Each score is 0 to 100 a node; their weighted sum decides. Spreading siblings over nodes weighs
most, so that the replicas of one set survive the loss of a node.
"""

import msgspec
import numpy as np
from numpy.typing import NDArray

from sampan.control.scheduler.columns import Columns, Integers
from sampan.control.scheduler.filters import domain_counts, matches_term, tolerated
from sampan.control.scheduler.requirements import Requirements

Scores = NDArray[np.float64]
FULL = 100.0
SPREAD_WEIGHT = 6.0
CONSTRAINT_WEIGHT = 4.0
TAINT_WEIGHT = 3.0
AFFINITY_WEIGHT = 2.0


class Preferences(msgspec.Struct, frozen=True):
    """What a template prefers of nodes as such: kept as long as no node changes."""

    affinity: Integers
    taints: Integers


def preferences(columns: Columns, needs: Requirements) -> Preferences:
    """The weight of the preferred terms that each node matches, and how many taints it has that
    would rather not have the pod."""
    spec = needs.spec
    node_affinity = spec.affinity.node_affinity if spec.affinity is not None else None
    preferred = node_affinity.preferred if node_affinity is not None else ()
    affinity = np.zeros(columns.capacity, dtype=np.int64)
    taints = np.zeros(columns.capacity, dtype=np.int64)
    for slot in columns.slots.values():
        node = columns.nodes[slot]
        if node is None:
            continue
        affinity[slot] = sum(
            term.weight for term in preferred if matches_term(node, term.preference)
        )
        taints[slot] = sum(
            taint.effect == "PreferNoSchedule" and not tolerated(taint, spec.tolerations)
            for taint in node.spec.taints
        )
    return Preferences(affinity, taints)


def total(
    columns: Columns, needs: Requirements, preferred: Preferences, candidates: NDArray[np.intp]
) -> Scores:
    """The weighted sum for each candidate slot; there is at least one."""
    result = _resources(columns, needs, candidates)
    result += SPREAD_WEIGHT * _fewest(columns.siblings(needs.group)[candidates])
    result += TAINT_WEIGHT * _fewest(preferred.taints[candidates])
    result += AFFINITY_WEIGHT * _most(preferred.affinity[candidates])
    for spread in needs.spreads:
        if not spread.required:
            counts = domain_counts(columns, spread.term)[candidates]
            counts = np.where(counts < 0, counts.max() + 1, counts)
            result += CONSTRAINT_WEIGHT * _fewest(counts)
    return result


def _resources(columns: Columns, needs: Requirements, candidates: NDArray[np.intp]) -> Scores:
    """The more is left, and the more evenly of processor and memory, the better."""
    capacity = np.maximum(columns.allocatable[candidates, :2], 1).astype(np.float64)
    used = columns.weighed[candidates] + np.array(needs.weights, dtype=np.int64)
    shares = np.minimum(used / capacity, 1.0)
    least: Scores = (1.0 - shares).mean(axis=1) * FULL
    balance: Scores = (1.0 - np.abs(shares[:, 0] - shares[:, 1]) / 2.0) * FULL
    return least + balance


def _fewest(counts: Integers) -> Scores:
    """Full for the smallest count, none for the largest; full for all when they are equal."""
    low, high = counts.min(), counts.max()
    if high == low:
        return np.full(len(counts), FULL)
    scaled: Scores = (high - counts) / (high - low) * FULL
    return scaled


def _most(counts: Integers) -> Scores:
    high = counts.max()
    if high == 0:
        return np.zeros(len(counts))
    scaled: Scores = counts / high * FULL
    return scaled
