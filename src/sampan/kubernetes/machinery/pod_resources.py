"""What a pod as a whole asks for, out of what its containers do (KEP-753 with sidecars, KEP-688).

Containers run together; init containers one after another, each beside the sidecars that were
started before it. So a pod needs the most of what is there at any moment, and its overhead.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import reduce
from typing import Any, Literal, TypeVar

from sampan.kubernetes.machinery.quantities import parse, show

_IN_BYTES = ("memory", "storage", "hugepages-")

Amounts = dict[str, Decimal]
Side = Literal["requests", "limits"]
Sum = TypeVar("Sum")


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
    return most_at_once(
        ((it.get("restartPolicy") == "Always", container_amounts(it, side)) for it in init),
        (container_amounts(it, side) for it in containers),
        nothing={},
        add=added,
        larger=larger,
    )


def most_at_once(
    init: Iterable[tuple[bool, Sum]],
    containers: Iterable[Sum],
    *,
    nothing: Sum,
    add: Callable[[Sum, Sum], Sum],
    larger: Callable[[Sum, Sum], Sum],
) -> Sum:
    """What containers need together at the moment that they need most, in whatever terms; `init`
    also says of each whether it is a sidecar."""
    sidecars = most = nothing
    for stays, own in init:
        beside = add(sidecars, own)
        most = larger(most, beside)
        if stays:
            sidecars = beside
    return larger(most, reduce(add, containers, sidecars))
