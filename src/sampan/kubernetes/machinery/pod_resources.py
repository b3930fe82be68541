"""What a pod as a whole asks for, out of what its containers do (KEP-753 with sidecars, KEP-688).

Containers run together; init containers one after another, each beside the sidecars that were
started before it. So a pod needs the most of what is there at any moment, and its overhead.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal

from sampan.kubernetes.machinery.quantities import parse, show

_IN_BYTES = ("memory", "storage", "hugepages-")

Amounts = dict[str, Decimal]
Side = Literal["requests", "limits"]


def amounts(given: dict[str, Any] | None) -> Amounts:
    """A resource list as numbers. Raises InvalidQuantity."""
    return {name: parse(quantity) for name, quantity in (given or {}).items()}


def shown(name: str, value: Decimal) -> str:
    """An amount of a resource in the way that people write it."""
    return show(value, binary=any(part in name for part in _IN_BYTES))


def container_amounts(container: dict[str, Any], side: Side) -> Amounts:
    """What a container requests, or is limited to."""
    return amounts((container.get("resources") or {}).get(side))


def added(one: Amounts, other: Amounts) -> Amounts:
    return {name: one.get(name, _NONE) + other.get(name, _NONE) for name in one.keys() | other}


def larger(one: Amounts, other: Amounts) -> Amounts:
    """For each resource the larger of two amounts."""
    names = one.keys() | other
    return {name: max(one.get(name, _NONE), other.get(name, _NONE)) for name in names}


_NONE = Decimal(0)


def pod_amounts(spec: dict[str, Any], side: Side, *, with_overhead: bool = True) -> Amounts:
    """The amounts of a pod's spec; what the pod itself says wins (KEP-2837).

    Raises InvalidQuantity.
    """
    total = _of_containers(spec.get("initContainers") or (), spec.get("containers") or (), side)
    total |= amounts((spec.get("resources") or {}).get(side))
    if not with_overhead:
        return total
    overhead = amounts(spec.get("overhead"))
    if side == "limits":
        overhead = {name: value for name, value in overhead.items() if name in total}
    return added(total, overhead)


def _of_containers(
    init: Iterable[dict[str, Any]], containers: Iterable[dict[str, Any]], side: Side
) -> Amounts:
    sidecars: Amounts = {}
    most: Amounts = {}
    for container in init:
        own = container_amounts(container, side)
        if container.get("restartPolicy") == "Always":
            sidecars = added(sidecars, own)
            most = larger(most, sidecars)
        else:
            most = larger(most, added(sidecars, own))
    together = sidecars
    for container in containers:
        together = added(together, container_amounts(container, side))
    return larger(most, together)
