"""What a pod needs of its node, in the scheduler's own terms. Pure.

Pods of one template need the same; `Requirements.template` is equal for them, so that what was
found out for one holds for all its siblings.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING
from functools import lru_cache
from typing import Any

import msgspec

from sampan.control.scheduler.views import (
    Container,
    HostPort,
    Node,
    Pod,
    PodSpec,
    Quantity,
    SpreadConstraint,
)
from sampan.kubernetes.machinery import quantities, selectors
from sampan.kubernetes.machinery.pod_resources import most_at_once

RESOURCES = ("cpu", "memory", "ephemeral-storage", "pods")
_ASSUMED_MILLICORES = 100
_ASSUMED_BYTES = 200 << 20

Amounts = tuple[int, int, int, int]


class PodTerm(msgspec.Struct, frozen=True):
    """Which pods count for an affinity or a spread, and over which label of nodes."""

    topology_key: str
    namespaces: frozenset[str]
    selector: selectors.Selector

    def matches(self, namespace: str, labels: Mapping[str, str]) -> bool:
        return namespace in self.namespaces and self.selector.matches(labels)


class Spread(msgspec.Struct, frozen=True):
    term: PodTerm
    max_skew: int
    required: bool


class Requirements(msgspec.Struct, frozen=True):
    """`amounts` are in the order of RESOURCES (millicores, bytes, bytes, pods); `weights` are
    processor and memory as scoring counts them, with a share for pods that ask for nothing.
    `group` is what a pod's siblings have in common with it."""

    template: bytes
    amounts: Amounts
    weights: tuple[int, int]
    ports: tuple[HostPort, ...]
    spec: PodSpec
    namespace: str
    labels: dict[str, str]
    group: str
    affinity: tuple[PodTerm, ...] = ()
    anti_affinity: tuple[PodTerm, ...] = ()
    spreads: tuple[Spread, ...] = ()


def template_of(pod: Pod) -> bytes:
    """What makes two pods the same to the scheduler."""
    spec = msgspec.structs.replace(pod.spec, node_name="")
    return msgspec.json.encode((pod.metadata.namespace, pod.metadata.labels, group_of(pod), spec))


def requirements(pod: Pod, template: bytes) -> Requirements:
    """What a pod needs. Raises InvalidQuantity, InvalidSelector for what validation refuses."""
    spec = pod.spec
    namespace = pod.metadata.namespace
    amounts = pod_amounts(spec)
    affinity = spec.affinity
    wanted = affinity.pod_affinity if affinity is not None else None
    shunned = affinity.pod_anti_affinity if affinity is not None else None
    return Requirements(
        template=template,
        amounts=amounts,
        weights=(amounts[0] or _ASSUMED_MILLICORES, amounts[1] or _ASSUMED_BYTES),
        ports=tuple(port for each in spec.containers for port in each.ports if port.host_port),
        spec=spec,
        namespace=namespace,
        labels=pod.metadata.labels,
        group=group_of(pod),
        affinity=_terms(wanted.required if wanted is not None else (), namespace),
        anti_affinity=_terms(shunned.required if shunned is not None else (), namespace),
        spreads=tuple(_spread(each, namespace) for each in spec.topology_spread_constraints),
    )


def group_of(pod: Pod) -> str:
    """Siblings are the pods of one controller; without one, those with the same labels."""
    owner = pod.metadata.controller
    if owner is not None:
        return owner.uid
    labels = sorted(pod.metadata.labels.items())
    return f"{pod.metadata.namespace}/{labels}" if labels else pod.metadata.uid


def pod_amounts(spec: PodSpec) -> Amounts:
    """What is set aside for a pod: the most that its containers need at once, and its overhead."""
    most = most_at_once(
        ((it.restart_policy == "Always", _container(it)) for it in spec.init_containers),
        (_container(it) for it in spec.containers),
        nothing=(0, 0, 0, 0),
        add=_add,
        larger=_largest,
    )
    return (*_add(most, _amounts(spec.overhead))[:3], 1)


def node_amounts(node: Node) -> Amounts:
    """What a node has to give."""
    return _amounts(node.status.allocatable)


def _container(container: Container) -> Amounts:
    return _amounts(container.resources.requests)


def _amounts(resources: Mapping[str, Quantity]) -> Amounts:
    return (
        _amount(str(resources.get("cpu", "0")), 1000),
        _amount(str(resources.get("memory", "0")), 1),
        _amount(str(resources.get("ephemeral-storage", "0")), 1),
        _amount(str(resources.get("pods", "0")), 1),
    )


@lru_cache(maxsize=4096)
def _amount(text: str, scale: int) -> int:
    return int((quantities.parse(text) * scale).to_integral_value(ROUND_CEILING))


def _add(one: Amounts, other: Amounts) -> Amounts:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])


def _largest(one: Amounts, other: Amounts) -> Amounts:
    return (
        max(one[0], other[0]),
        max(one[1], other[1]),
        max(one[2], other[2]),
        max(one[3], other[3]),
    )


def _terms(terms: Iterable[Any], namespace: str) -> tuple[PodTerm, ...]:
    return tuple(
        _term(each.topology_key, each.label_selector, each.namespaces or (namespace,))
        for each in terms
    )


def _term(topology_key: str, selector: dict[str, Any] | None, namespaces: Iterable[str]) -> PodTerm:
    """A term without a selector matches no pod: it names no namespace then."""
    found = selectors.from_object(selector)
    if found is None:
        return PodTerm(topology_key, frozenset(), selectors.Selector())
    return PodTerm(topology_key, frozenset(namespaces), found)


def _spread(constraint: SpreadConstraint, namespace: str) -> Spread:
    return Spread(
        term=_term(constraint.topology_key, constraint.label_selector, (namespace,)),
        max_skew=constraint.max_skew,
        required=constraint.when_unsatisfiable == "DoNotSchedule",
    )
