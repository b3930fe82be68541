"""Which nodes a pod may go to, and why not to the others. Pure.

`static` judges what only a change of a node can change and is kept for all pods of a template;
`dynamic` what every placed pod changes. The order and the wording of the reasons are
Kubernetes'.
"""

from collections.abc import Iterable
from functools import lru_cache

import msgspec
import numpy as np

from sampan.control.scheduler.columns import Booleans, Columns, Integers
from sampan.control.scheduler.requirements import RESOURCES, PodTerm, Requirements, Spread
from sampan.control.scheduler.views import (
    Expression,
    HostPort,
    Node,
    NodeSelectorTerm,
    Taint,
    Toleration,
)
from sampan.kubernetes.machinery import selectors
from sampan.kubernetes.machinery.taints import tolerates

UNSCHEDULABLE_TAINT = Taint("node.kubernetes.io/unschedulable", "NoSchedule")
_REFUSING = ("NoSchedule", "NoExecute")


class Refusal(msgspec.Struct, frozen=True):
    """Why a number of nodes can't take a pod."""

    reason: str
    nodes: Booleans


class Verdict(msgspec.Struct, frozen=True):
    """The nodes that are left, and why each of the others is not."""

    feasible: Booleans
    refusals: tuple[Refusal, ...]


def static(columns: Columns, needs: Requirements) -> Verdict:
    """Judge names, labels, taints and cordons."""
    feasible = columns.present.copy()
    reasons: dict[str, list[int]] = {}
    for name, slot in columns.slots.items():
        node = columns.nodes[slot]
        reason = _refusal(node, needs) if node is not None else f"node {name} is gone"
        if reason:
            feasible[slot] = False
            reasons.setdefault(reason, []).append(slot)
    return Verdict(
        feasible,
        tuple(Refusal(reason, _mask(columns, slots)) for reason, slots in reasons.items()),
    )


def _mask(columns: Columns, slots: Iterable[int]) -> Booleans:
    mask = np.zeros(columns.capacity, dtype=np.bool_)
    mask[list(slots)] = True
    return mask


def _refusal(node: Node, needs: Requirements) -> str:
    spec = needs.spec
    if node.spec.unschedulable and not tolerated(UNSCHEDULABLE_TAINT, spec.tolerations):
        return "node(s) were unschedulable"
    for taint in node.spec.taints:
        if taint.effect in _REFUSING and not tolerated(taint, spec.tolerations):
            return f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"
    if not _selected(node, needs):
        return "node(s) didn't match Pod's node affinity/selector"
    return ""


def tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    """Whether any toleration matches a taint."""
    return any(tolerates(each, taint) for each in tolerations)


def _selected(node: Node, needs: Requirements) -> bool:
    spec = needs.spec
    if not spec.node_selector.items() <= node.metadata.labels.items():
        return False
    affinity = spec.affinity.node_affinity if spec.affinity is not None else None
    if affinity is None or affinity.required is None:
        return True
    return any(matches_term(node, term) for term in affinity.required.node_selector_terms)


def matches_term(node: Node, term: NodeSelectorTerm) -> bool:
    """Whether a node matches all of a term; an empty term matches nothing."""
    if not term.match_expressions and not term.match_fields:
        return False
    return _matches(term.match_expressions, node.metadata.labels) and _matches(
        term.match_fields, {"metadata.name": node.metadata.name}
    )


def _matches(expressions: tuple[Expression, ...], labels: dict[str, str]) -> bool:
    return _selector(expressions).matches(labels)


@lru_cache(maxsize=1024)
def _selector(expressions: tuple[Expression, ...]) -> selectors.Selector:
    plain = [msgspec.to_builtins(each) for each in expressions]
    return selectors.from_object({"matchExpressions": plain}) or selectors.Selector()


def dynamic(columns: Columns, needs: Requirements, feasible: Booleans) -> Verdict:
    """Judge ports, resources, spreads and affinities among the nodes that are still left."""
    refusals: list[Refusal] = []
    left = suitable = feasible
    for refused in (*_ports(columns, needs, left), *_resources(columns, needs, left)):
        refusals.append(refused)
        feasible = feasible & ~refused.nodes
    for refused in _topologies(columns, needs, suitable, feasible):
        refusals.append(refused)
        feasible = feasible & ~refused.nodes
    return Verdict(feasible, tuple(refusals))


def _ports(columns: Columns, needs: Requirements, left: Booleans) -> Iterable[Refusal]:
    if not needs.ports:
        return
    taken = [slot for slot, ports in columns.ports.items() if _collide(needs.ports, ports)]
    refused = _mask(columns, taken) & left
    if refused.any():
        yield Refusal("node(s) didn't have free ports for the requested pod ports", refused)


def _collide(wanted: tuple[HostPort, ...], taken: Iterable[HostPort]) -> bool:
    present = tuple(taken)
    return any(
        one.host_port == other.host_port
        and one.protocol == other.protocol
        and (one.host_ip == other.host_ip or _is_any(one.host_ip) or _is_any(other.host_ip))
        for one in wanted
        for other in present
    )


def _is_any(address: str) -> bool:
    return address in ("", "0.0.0.0", "::")


def _resources(columns: Columns, needs: Requirements, left: Booleans) -> Iterable[Refusal]:
    """A pod that asks for none of a resource fits even where too much of it is taken."""
    free = columns.allocatable - columns.requested
    for index, (resource, amount) in enumerate(zip(RESOURCES, needs.amounts, strict=True)):
        if not amount:
            continue
        refused = left & (free[:, index] < amount)
        if refused.any():
            reason = "Too many pods" if resource == "pods" else f"Insufficient {resource}"
            yield Refusal(reason, refused)


def _topologies(
    columns: Columns, needs: Requirements, suitable: Booleans, left: Booleans
) -> Iterable[Refusal]:
    for spread in needs.spreads:
        if spread.required:
            refused = left & ~_evenly(columns, needs, spread, suitable)
            if refused.any():
                reason = "node(s) didn't match pod topology spread constraints"
                yield Refusal(reason, refused)
    shunned = np.zeros(columns.capacity, dtype=np.bool_)
    for term in needs.anti_affinity:
        shunned |= domain_counts(columns, term) > 0
    shunned |= _repelled(columns, needs)
    refused = left & shunned
    if refused.any():
        yield Refusal("node(s) didn't match pod anti-affinity rules", refused)
    for term in needs.affinity:
        refused = left & ~_attracted(columns, needs, term)
        if refused.any():
            yield Refusal("node(s) didn't match pod affinity rules", refused)


def domain_counts(columns: Columns, term: PodTerm) -> Integers:
    """For each node, how many pods that a term matches are in its domain; -1 without one."""
    domains = _domains(columns, term.topology_key)
    counts: dict[str, int] = {}
    for placed in columns.placed.values():
        needs = placed.requirements
        slot = columns.slots.get(placed.node)
        if slot is None or placed.terminating or not term.matches(needs.namespace, needs.labels):
            continue
        domain = domains[slot]
        counts[domain] = counts.get(domain, 0) + 1
    return np.array([counts.get(domain, 0) if domain else -1 for domain in domains], dtype=np.int64)


def _domains(columns: Columns, topology_key: str) -> list[str]:
    return [
        node.metadata.labels.get(topology_key, "") if node is not None else ""
        for node in columns.nodes
    ]


def _evenly(columns: Columns, needs: Requirements, spread: Spread, suitable: Booleans) -> Booleans:
    """The nodes that keep the skew within its bound, if the pod goes there. A suitable node that
    happens to be full counts for the least."""
    counts = domain_counts(columns, spread.term)
    eligible = suitable & (counts >= 0)
    if not eligible.any():
        return eligible
    own = int(spread.term.matches(needs.namespace, needs.labels))
    least = int(counts[eligible].min())
    return eligible & (counts + own - least <= spread.max_skew)


def _repelled(columns: Columns, needs: Requirements) -> Booleans:
    """The nodes in the domain of a pod that does not want this one near."""
    refused = np.zeros(columns.capacity, dtype=np.bool_)
    for placed in columns.averse.values():
        slot = columns.slots.get(placed.node)
        for term in placed.requirements.anti_affinity:
            if slot is None or not term.matches(needs.namespace, needs.labels):
                continue
            domains = _domains(columns, term.topology_key)
            refused |= np.array([bool(each) and each == domains[slot] for each in domains])
    return refused


def _attracted(columns: Columns, needs: Requirements, term: PodTerm) -> Booleans:
    """The nodes in a domain of pods that this one wants near; the first of a group that wants
    its own kind near may go anywhere."""
    counts = domain_counts(columns, term)
    if not (counts > 0).any() and term.matches(needs.namespace, needs.labels):
        return counts >= 0
    return counts > 0
