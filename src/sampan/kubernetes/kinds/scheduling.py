"""PriorityClass: what goes first when there is not room for all."""

from collections.abc import Iterator
from types import MappingProxyType

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, text
from sampan.kubernetes.kinds.field_rules import check_choice
from sampan.kubernetes.kinds.kind import Cause, Column, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import PRIORITY_CLASSES
from sampan.kubernetes.machinery.causes import forbidden

HIGHEST_USER_PRIORITY = 1_000_000_000
SYSTEM_PREFIX = "system-"
SYSTEM_CLASSES = MappingProxyType(
    {
        "system-cluster-critical": (
            2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to "
            "another node if necessary.",
        ),
        "system-node-critical": (
            2_000_001_000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
    }
)
"""The classes that every cluster has: value and description by name."""

_POLICIES = ("Never", "PreemptLowerPriority")


def _default(priority_class: Object) -> None:
    priority_class.setdefault("preemptionPolicy", "PreemptLowerPriority")
    priority_class.setdefault("value", 0)


def _prepare(new: Object, old: Object | None) -> None:
    strategies.count_generation(new, old)


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """pkg/apis/scheduling/validation ValidatePriorityClass and its update."""
    name, value = new["metadata"].get("name", ""), new.get("value", 0)
    if name.startswith(SYSTEM_PREFIX):
        if name not in SYSTEM_CLASSES or (value, bool(new.get("globalDefault"))) != (
            SYSTEM_CLASSES[name][0],
            False,
        ):
            detail = (
                f"priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use "
                f"only. error: {_system_problem(name, value)}"
            )
            yield forbidden("metadata.name", detail)
    elif value > HIGHEST_USER_PRIORITY:
        detail = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        yield forbidden("value", detail)
    yield from check_choice(new, "preemptionPolicy", _POLICIES, "")
    if old is not None:
        if value != old.get("value", 0):
            yield forbidden("value", "may not be changed in an update.")
        policy = new.get("preemptionPolicy")
        yield from check_immutable(policy, old.get("preemptionPolicy"), "preemptionPolicy")


def _system_problem(name: str, value: int) -> str:
    if name not in SYSTEM_CLASSES:
        return f"{name} is not a known system priority class"
    if value != SYSTEM_CLASSES[name][0]:
        return f"value of {name} PriorityClass must be {SYSTEM_CLASSES[name][0]}"
    return f"globalDefault of {name} PriorityClass must be false"


PRIORITY_CLASS = make(
    PRIORITY_CLASSES,
    default=_default,
    rules=_rules,
    prepare=_prepare,
    short_names=("pc",),
    columns=(
        NAME,
        Column(
            name="Value",
            type="integer",
            cell=lambda it, _now: it.get("value", 0),
            description="The priority of the pods of this class.",
        ),
        Column(
            name="Global-Default",
            type="boolean",
            cell=lambda it, _now: bool(it.get("globalDefault")),
            description="Whether pods without a class are of this one.",
        ),
        AGE,
        text(
            "PreemptionPolicy",
            lambda it: it.get("preemptionPolicy", ""),
            1,
            "Whether pods of this class take the place of others.",
        ),
    ),
)
