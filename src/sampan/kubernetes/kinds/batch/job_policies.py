"""The rules of a job's policies: which failures count, and when part of the work is enough."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.columns import part
from sampan.kubernetes.kinds.field_rules import check_choice
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import (
    duplicate,
    invalid,
    required,
    too_long,
    too_many,
    unsupported,
)

_MOST_RULES = 20
_MOST_EXIT_CODES = 255
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_OPERATORS = ("In", "NotIn")
_CONDITION_STATES = ("True", "False", "Unknown")
_LONGEST_INDEXES = 64 << 10


def check_failure_policy(spec: Object, field: str) -> Iterator[Cause]:
    """`podFailurePolicy` of a job's spec."""
    pod = part(spec, "template", "spec") or {}
    containers = {
        it.get("name", "")
        for name in ("containers", "initContainers")
        for it in pod.get(name) or ()
    }
    rules = spec["podFailurePolicy"].get("rules") or ()
    if len(rules) > _MOST_RULES:
        yield too_many(f"{field}.rules", len(rules), _MOST_RULES)
        return
    for index, rule in enumerate(rules):
        path = f"{field}.rules[{index}]"
        yield from _check_action(rule.get("action", ""), spec, f"{path}.action")
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or []
        if codes is not None:
            yield from _check_exit_codes(codes, f"{path}.onExitCodes", containers)
        yield from _check_conditions(conditions, f"{path}.onPodConditions")
        if codes is not None and conditions:
            detail = "specifying both OnExitCodes and OnPodConditions is not supported"
            yield Cause(path, "FieldValueInvalid", f"Invalid value: {detail}")
        elif codes is None and not conditions:
            detail = "specifying one of OnExitCodes and OnPodConditions is required"
            yield Cause(path, "FieldValueInvalid", f"Invalid value: {detail}")


def _check_action(action: str, spec: Object, field: str) -> Iterator[Cause]:
    if not action:
        shown = " ".join(f'"{it}"' for it in _ACTIONS)
        yield required(field, f"valid values: [{shown}]")
    elif action not in _ACTIONS:
        yield unsupported(field, action, _ACTIONS)
    elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
        yield invalid(field, action, "requires the backoffLimitPerIndex to be set")


def _check_conditions(patterns: list[Object], field: str) -> Iterator[Cause]:
    if len(patterns) > _MOST_RULES:
        yield too_many(field, len(patterns), _MOST_RULES)
        return
    for index, pattern in enumerate(patterns):
        path = f"{field}[{index}]"
        for message in names.qualified_name(pattern.get("type", "")):
            yield invalid(f"{path}.type", pattern.get("type", ""), message)
        yield from check_choice(pattern, "status", _CONDITION_STATES, path)


def _check_exit_codes(codes: Object, field: str, containers: set[str]) -> Iterator[Cause]:
    operator = codes.get("operator", "")
    if not operator:
        yield required(f"{field}.operator", 'valid values: ["In" "NotIn"]')
    elif operator not in _OPERATORS:
        yield unsupported(f"{field}.operator", operator, _OPERATORS)
    name = codes.get("containerName")
    if name is not None and name not in containers:
        detail = "must be one of the container or initContainer names in the pod template"
        yield invalid(f"{field}.containerName", name, detail)
    values = codes.get("values") or []
    if not values:
        yield invalid(f"{field}.values", values, "at least one value is required")
    elif len(values) > _MOST_EXIT_CODES:
        yield too_many(f"{field}.values", len(values), _MOST_EXIT_CODES)
        return
    for index, value in enumerate(values):
        if value in values[:index]:
            yield duplicate(f"{field}.values[{index}]", value)
        if value == 0 and operator == "In":
            yield invalid(f"{field}.values[{index}]", value, "must not be 0 for the In operator")
    if values != sorted(values):
        yield invalid(f"{field}.values", values, "must be ordered")


def check_success_policy(spec: Object, field: str) -> Iterator[Cause]:
    """`successPolicy` of an indexed job's spec."""
    rules = spec["successPolicy"].get("rules") or ()
    if not rules:
        detail = "at least one rules must be specified when the successPolicy is specified"
        yield required(f"{field}.rules", detail)
    if len(rules) > _MOST_RULES:
        yield too_many(f"{field}.rules", len(rules), _MOST_RULES)
        return
    for index, rule in enumerate(rules):
        yield from _check_success_rule(rule, spec.get("completions"), f"{field}.rules[{index}]")


def _check_success_rule(rule: Object, completions: int | None, field: str) -> Iterator[Cause]:
    count, indexes = rule.get("succeededCount"), rule.get("succeededIndexes")
    if count is None and indexes is None:
        detail = "at least one of succeededCount or succeededIndexes must be specified"
        yield required(field, detail)
    size: int | None = None
    if indexes is not None:
        if len(indexes) > _LONGEST_INDEXES:
            yield too_long(f"{field}.succeededIndexes", _LONGEST_INDEXES)
            return
        try:
            size = _number_of_indexes(indexes, completions or 0)
        except ValueError as error:
            detail = f"error parsing succeededIndexes: {error}"
            yield invalid(f"{field}.succeededIndexes", indexes, detail)
    if count is None:
        return
    path = f"{field}.succeededCount"
    if count < 0:
        yield invalid(path, count, "must be greater than or equal to 0")
    if completions is not None and count > completions:
        detail = (
            f"must be less than or equal to {completions} (the number of specified completions)"
        )
        yield invalid(path, count, detail)
    if size is not None and count > size:
        detail = (
            f"must be less than or equal to {size} (the number of indexes in the specified "
            "succeededIndexes field)"
        )
        yield invalid(path, count, detail)


def _number_of_indexes(text: str, completions: int) -> int:
    """How many indexes `0,2-4` names; they grow and lie below `completions`. Raises ValueError."""
    total, last = 0, -1
    for piece in text.split(","):
        ends = piece.split("-")
        if len(ends) > 2:
            raise ValueError(
                f"expected maximum of two parts separated by '-' for {piece!r}, got {len(ends)}"
            )
        low, *rest = (_index(end, piece) for end in ends)
        high = rest[0] if rest else low
        if high >= completions:
            raise ValueError(f"too large index: {high}")
        if low <= last or (rest and high <= low):
            raise ValueError(f"non-increasing order, previous: {max(last, low)}, current: {high}")
        total, last = total + high - low + 1, high
    return total


def _index(text: str, piece: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        raise ValueError(f'cannot convert string to integer for index: "{piece}"')
    return int(text)
