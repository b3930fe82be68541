"""Holds values of custom resources to their OpenAPI schema, in the words of kube-openapi.

Theory: a schema is compiled once into nested functions, one for each place; a keyword that a
schema doesn't have costs nothing. Each function adds the causes that it finds. Defaults and
pruning come before, and rules in CEL after; neither is known here.
"""

from collections.abc import Callable, Iterable
from typing import Any

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.schema.correlation import (
    Old,
    is_unchanged,
    items_before,
    member_before,
)
from sampan.kubernetes.schema.keywords import (
    Check,
    check_members,
    check_numbers,
    check_sizes,
    check_texts,
    field_of,
)
from sampan.kubernetes.schema.pruning import Path
from sampan.kubernetes.schema.structural import Structural
from sampan.kubernetes.schema.structure import render
from sampan.kubernetes.schema.unique_items import compile_unique_items

Compare = Callable[[Any, Old, Path, list[Cause]], None]

_TYPE_NAMES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
    type(None): "null",
}


def compile_check(schema: Structural) -> Compare:
    """The whole check of a place and of all below it. What hasn't changed since it was taken is
    not judged again, so that a schema may become stricter (KEP-4008).

    Members are compiled when the first value comes: most of a large schema is hardly used.
    """
    keyword_check = compile_keywords(schema.keywords, schema)
    properties = schema.properties
    members: dict[str, Compare] = {}
    items = None if schema.items is None else compile_check(schema.items)
    values = None if schema.values is None else compile_check(schema.values)
    unique = compile_unique_items(schema)

    def check(value: Any, old: Old, path: Path, causes: list[Cause]) -> None:
        if (value is None and schema.nullable) or is_unchanged(value, old):
            return
        before = len(causes)
        keyword_check(value, path, causes)
        if type(value) is dict:
            for key, member in value.items():
                below = members.get(key)
                if below is None and key in properties:
                    below = members[key] = compile_check(properties[key])
                below = below or values
                if below is not None:
                    below(member, member_before(old, key), (path, key), causes)
        elif type(value) is list:
            if items is not None:
                earlier = items_before(schema, old)
                for index, item in enumerate(value):
                    items(item, earlier(item), (path, index), causes)
            if unique is not None and len(causes) == before:
                unique(value, path, causes)

    return check


def compile_keywords(raw: Object, schema: Structural | None = None) -> Check:
    """The check of the keywords that judge a value at one place.

    Within a junctor (`schema` is None) the keywords of what lies below belong to it as well.
    """
    types = _types(schema) if schema is not None else ()
    checks = [
        *check_texts(raw),
        *check_numbers(raw),
        *check_sizes(raw),
        *check_members(raw),
        *_junctors(raw),
    ]
    if schema is None:
        checks += _below(raw)

    def check(value: Any, path: Path, causes: list[Cause]) -> None:
        if types and not _has_type(value, types):
            causes.append(_wrong_type(value, path, ",".join(types)))
            return
        for one in checks:
            one(value, path, causes)

    return check


def _types(schema: Structural) -> tuple[str, ...]:
    if schema.is_int_or_string:
        return ("integer", "string")
    return (schema.type,) if schema.type else ()


def _has_type(value: Any, types: tuple[str, ...]) -> bool:
    given = _TYPE_NAMES[type(value)]
    if given in types or (given == "integer" and "number" in types):
        return True
    return given == "number" and "integer" in types and value.is_integer()


def _wrong_type(value: Any, path: Path, wanted: str) -> Cause:
    given = _TYPE_NAMES[type(value)]
    message = (
        f'Invalid value: "{given}": {render(path)} in body must be of type {wanted}: "{given}"'
    )
    return Cause(field_of(path), "FieldValueTypeInvalid", message)


def _below(raw: Object) -> Iterable[Check]:
    """What a junctor says of members and items."""
    properties = raw.get("properties") or {}
    members = {key: compile_keywords(member) for key, member in properties.items()}
    items = compile_keywords(raw["items"]) if isinstance(raw.get("items"), dict) else None
    values = raw.get("additionalProperties")
    others = compile_keywords(values) if isinstance(values, dict) else None
    if not members and items is None and others is None:
        return

    def check(value: Any, path: Path, causes: list[Cause]) -> None:
        if type(value) is dict:
            for key, member in value.items():
                below = members.get(key, others)
                if below is not None:
                    below(member, (path, key), causes)
        elif type(value) is list and items is not None:
            for index, item in enumerate(value):
                items(item, (path, index), causes)

    yield check


def _junctors(raw: Object) -> Iterable[Check]:
    if raw.get("allOf"):
        yield _all_of([_branch(it) for it in raw["allOf"]])
    if raw.get("anyOf"):
        yield _any_of([_branch(it) for it in raw["anyOf"]])
    if raw.get("oneOf"):
        yield _one_of([_branch(it) for it in raw["oneOf"]])
    if raw.get("not"):
        yield _not(_branch(raw["not"]))


def _branch(raw: Object) -> Check:
    """int-or-string schemas name types within their junctors."""
    return compile_keywords(raw, Structural(type=raw["type"]) if raw.get("type") else None)


def _failures(branch: Check, value: Any, path: Path) -> list[Cause]:
    found: list[Cause] = []
    branch(value, path, found)
    return found


def _fewest(failures: list[list[Cause]]) -> list[Cause]:
    """What the branch that came closest misses."""
    return min(failures, key=len)


def _composite(path: Path, rule: str) -> Cause:
    return Cause("<nil>", "FieldValueInvalid", f'Invalid value: "": "{render(path)}" {rule}')


def _all_of(branches: list[Check]) -> Check:
    def check(value: Any, path: Path, causes: list[Cause]) -> None:
        failures = [found for branch in branches if (found := _failures(branch, value, path))]
        if failures:
            tail = ". None validated" if len(failures) == len(branches) else ""
            causes.append(_composite(path, f"must validate all the schemas (allOf){tail}"))
            for found in failures:
                causes.extend(found)

    return check


def _any_of(branches: list[Check]) -> Check:
    def check(value: Any, path: Path, causes: list[Cause]) -> None:
        failures = [_failures(branch, value, path) for branch in branches]
        if all(failures):
            causes.append(_composite(path, "must validate at least one schema (anyOf)"))
            causes.extend(_fewest(failures))

    return check


def _one_of(branches: list[Check]) -> Check:
    def check(value: Any, path: Path, causes: list[Cause]) -> None:
        failures = [_failures(branch, value, path) for branch in branches]
        valid = sum(not found for found in failures)
        if valid == 1:
            return
        found = f"Found {valid} valid alternatives" if valid else "Found none valid"
        rule = f"must validate one and only one schema (oneOf). {found}"
        causes.append(_composite(path, rule))
        if not valid:
            causes.extend(_fewest(failures))

    return check


def _not(branch: Check) -> Check:
    def check(value: Any, path: Path, causes: list[Cause]) -> None:
        if not _failures(branch, value, path):
            causes.append(_composite(path, "must not validate the schema (not)"))

    return check
