"""Whether the rules in CEL of a schema can be served: they compile, and cost no more than the
limits even for the largest object that the schema allows.

The rules and words are those of k8s.io/apiextensions-apiserver `apis/apiextensions/validation`.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from sampan.kubernetes.expressions.budget import LARGEST_REQUEST
from sampan.kubernetes.expressions.schema_types import type_of_schema
from sampan.kubernetes.expressions.types import DYN
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported
from sampan.kubernetes.schema.validation_rule import InvalidRule, ValidationRule, compile_rule

RULE_LIMIT = 10_000_000
SCHEMA_LIMIT = 100_000_000
_REASONS = (
    "FieldValueDuplicate",
    "FieldValueForbidden",
    "FieldValueInvalid",
    "FieldValueRequired",
)
_ADVICE = "try simplifying the rule"
_SIZES_ADVICE = (
    "try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, "
    "maps, and strings are declared"
)


class _Place(msgspec.Struct, frozen=True):
    """Where in the schema, how often a place may occur in one object, and whether the value
    before can be told there."""

    field: str
    times: int = 1
    correlates: bool = True
    is_root: bool = False


def check_rules(schema: Object, field: str) -> Iterator[Cause]:
    """The causes for which rules in a structural schema are refused; `field` is its path."""
    if b'"x-kubernetes-validations":' not in msgspec.json.encode(schema):
        return
    costs: list[int] = []
    yield from _check_place(schema, _Place(field, is_root=True), costs)
    total = sum(costs)
    if total > SCHEMA_LIMIT:
        factor = _factor(total, SCHEMA_LIMIT)
        detail = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema "
        yield forbidden(field, f"{detail}exceeds budget by factor of {factor} ({_SIZES_ADVICE})")


def _check_place(schema: Object, place: _Place, costs: list[int]) -> Iterator[Cause]:
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        path = f"{place.field}.x-kubernetes-validations[{index}]"
        yield from _check_rule(schema, rule, path, place, costs)
    for key, member in (schema.get("properties") or {}).items():
        field = f"{place.field}.properties[{key}]"
        yield from _check_place(member, _Place(field, place.times, place.correlates), costs)
    for key, most in (("items", "maxItems"), ("additionalProperties", "maxProperties")):
        below = schema.get(key)
        if isinstance(below, dict):
            times = place.times * _most(schema, most)
            correlates = place.correlates and _correlates(schema, key)
            field = f"{place.field}.{key}"
            yield from _check_place(below, _Place(field, times, correlates), costs)


def _most(schema: Object, keyword: str) -> int:
    """How many members a list or map may have; without a limit, what fits into a request."""
    given = schema.get(keyword)
    if given is not None:
        return int(given)
    kind = type_of_schema(schema)
    return kind.most if kind is not None and kind.most >= 0 else LARGEST_REQUEST


def _correlates(schema: Object, key: str) -> bool:
    return key != "items" or schema.get("x-kubernetes-list-type") == "map"


def _check_rule(
    schema: Object, rule: Any, path: str, place: _Place, costs: list[int]
) -> Iterator[Cause]:
    if not isinstance(rule, dict) or not isinstance(rule.get("rule"), str):
        yield required(f"{path}.rule", "rule is not specified")
        return
    reason = rule.get("reason") or "FieldValueInvalid"
    if reason not in _REASONS:
        yield unsupported(f"{path}.reason", reason, _REASONS)
    message = rule.get("message") or ""
    if "\n" in message.strip():
        yield invalid(f"{path}.message", message, "message must not contain line breaks")
    kind = type_of_schema(schema, is_resource=place.is_root) or DYN
    try:
        compiled = compile_rule(rule, schema.get("type") or "", kind)
    except InvalidRule as error:
        yield invalid(f"{path}.{error.field}", rule.get(error.field, rule), str(error))
        return
    yield from _check_use(compiled, path, place)
    yield from _check_field_path(schema, compiled, rule, path)
    cost = compiled.program.estimated_cost * place.times
    costs.append(cost)
    if cost > RULE_LIMIT:
        advice = _ADVICE if compiled.program.estimated_cost > RULE_LIMIT else _SIZES_ADVICE
        factor = _factor(cost, RULE_LIMIT)
        detail = f"estimated rule cost exceeds budget by factor of {factor} ({advice})"
        yield forbidden(f"{path}.rule", detail)


def _check_use(compiled: ValidationRule, path: str, place: _Place) -> Iterator[Cause]:
    if compiled.is_transition and not place.correlates:
        detail = "oldSelf cannot be used on the uncorrelatable portion of the schema"
        yield invalid(f"{path}.rule", compiled.text, detail)
    if compiled.is_optional and not compiled.is_transition:
        detail = "option optionalOldSelf may only be set when oldSelf is used in the rule"
        yield invalid(f"{path}.optionalOldSelf", True, detail)


def _check_field_path(
    schema: Object, compiled: ValidationRule, rule: Object, path: str
) -> Iterator[Cause]:
    below: Any = schema
    for key in compiled.below:
        properties = below.get("properties") or {}
        values = below.get("additionalProperties")
        below = properties.get(key, values if isinstance(values, dict) else None)
        if below is None:
            detail = "fieldPath must be a valid path: does not refer to a valid field"
            yield invalid(f"{path}.fieldPath", rule["fieldPath"], detail)
            return


def _factor(cost: int, limit: int) -> str:
    factor = cost / limit
    return "more than 100x" if factor > 100 else f"{factor:.1f}x"
