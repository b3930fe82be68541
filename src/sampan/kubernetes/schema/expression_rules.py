"""The rules in CEL of a custom resource's whole schema, applied to an object.

Theory: the places that have rules, and those that lead to one, are compiled into functions; all
other places cost nothing. The value before is found by the same path: by name in objects, by the
map keys in lists of type map; other lists tell nothing of what an item was before. What hasn't
changed is judged by rules about changes only. One budget bounds the work for an object.
"""

from collections.abc import Callable
from typing import Any

from sampan.kubernetes.expressions.budget import PER_OBJECT, Budget
from sampan.kubernetes.expressions.errors import BudgetExceeded
from sampan.kubernetes.expressions.schema_types import type_of_schema
from sampan.kubernetes.expressions.types import DYN
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.schema.correlation import (
    Old,
    is_unchanged,
    items_before,
    member_before,
)
from sampan.kubernetes.schema.pruning import Path
from sampan.kubernetes.schema.structural import Structural
from sampan.kubernetes.schema.validation_rule import ValidationRule, compile_rule

_Apply = Callable[[Any, Old, Path, list[Cause], Budget], None]
_BLOCKING = (
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
)
_UNCHECKED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)
_EXHAUSTED = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)

Check = Callable[[Object, Object | None, list[Cause]], list[Cause]]


def compile_rules(schema: Structural) -> Check | None:
    """`check(new, old, found)`: the causes of broken rules, when those `found` before leave the
    object whole enough to ask. None when the schema has no rules. Raises InvalidRule."""
    apply = _compile(schema, is_root=True)
    if apply is None:
        return None

    def check(new: Object, old: Object | None, found: list[Cause]) -> list[Cause]:
        if any(cause.reason in _BLOCKING for cause in found):
            return [Cause("<nil>", "FieldValueInvalid", f'Invalid value: "null": {_UNCHECKED}')]
        causes: list[Cause] = []
        try:
            apply(new, None if old is None else (old,), None, causes, Budget(PER_OBJECT))
        except BudgetExceeded:
            causes.append(Cause("<nil>", "FieldValueForbidden", f"Forbidden: {_EXHAUSTED}"))
        return causes

    return check


def _compile(schema: Structural, *, is_root: bool = False) -> _Apply | None:
    rules = _rules(schema, is_root=is_root)
    members = {
        key: below
        for key, member in schema.properties.items()
        if (below := _compile(member)) is not None
    }
    items = None if schema.items is None else _compile(schema.items)
    values = None if schema.values is None else _compile(schema.values)
    if not (rules or members or items or values):
        return None
    known = frozenset(schema.properties)

    def apply(value: Any, old: Old, path: Path, causes: list[Cause], budget: Budget) -> None:
        if value is None:
            return
        unchanged = is_unchanged(value, old)
        for rule in rules:
            if unchanged and not rule.is_transition:
                continue
            cause = rule.check(value, old, path, budget)
            if cause is not None:
                causes.append(cause)
        if type(value) is dict:
            _apply_to_members(value, old, path, causes, budget)
        elif type(value) is list and items is not None:
            before = items_before(schema, old)
            for index, item in enumerate(value):
                items(item, before(item), (path, index), causes, budget)

    def _apply_to_members(
        tree: Object, old: Old, path: Path, causes: list[Cause], budget: Budget
    ) -> None:
        for key, value in tree.items():
            below = members.get(key) if key in known else values
            if below is not None:
                below(value, member_before(old, key), (path, key), causes, budget)

    return apply


def _rules(schema: Structural, *, is_root: bool) -> tuple[ValidationRule, ...]:
    if not schema.rules:
        return ()
    kind = type_of_schema(schema.keywords, is_resource=is_root) or DYN
    return tuple(compile_rule(rule, schema.type, kind) for rule in schema.rules)
