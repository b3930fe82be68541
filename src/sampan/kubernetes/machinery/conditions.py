"""The conditions in an object's status: lookup, and setting one without needless changes."""

from collections.abc import Sequence
from typing import Any, Literal

ConditionStatus = Literal["True", "False", "Unknown"]
Condition = dict[str, Any]


def find(conditions: Sequence[Condition] | None, kind: str) -> Condition | None:
    """The condition of that type."""
    return next((it for it in conditions or () if it.get("type") == kind), None)


def with_condition(
    conditions: Sequence[Condition] | None,
    kind: str,
    status: ConditionStatus,
    now: str,
    *,
    reason: str = "",
    message: str = "",
) -> list[Condition]:
    """The list with that condition set; `lastTransitionTime` moves only when `status` changes.

    Other keys of the condition (`lastUpdateTime`, `observedGeneration`) stay as they are.
    """
    old = find(conditions, kind)
    changed = old is None or old.get("status") != status
    new: Condition = {**(old or {}), "type": kind, "status": status}
    new["lastTransitionTime"] = now if changed else (old or {}).get("lastTransitionTime", now)
    for key, value in (("reason", reason), ("message", message)):
        if value:
            new[key] = value
        else:
            new.pop(key, None)
    if old is None:
        return [*(conditions or ()), new]
    return [new if it is old else it for it in conditions or ()]
