"""Holds values of custom resources to their OpenAPI schema, in the words of kube-openapi.

Theory: a schema is compiled once into nested functions, one for each place; a keyword that a
schema doesn't have costs nothing. Each function adds the causes that it finds. Defaults and
pruning come before, and rules in CEL after; neither is known here.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import duplicate, invalid, too_many
from sampan.kubernetes.schema import formats
from sampan.kubernetes.schema.correlation import (
    Old,
    is_unchanged,
    items_before,
    member_before,
)
from sampan.kubernetes.schema.pruning import Path
from sampan.kubernetes.schema.structural import Structural
from sampan.kubernetes.schema.structure import render

Check = Callable[[Any, Path, list[Cause]], None]
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
_INTEGER_BOUNDS = {"int32": 2**31, "int64": 2**63}


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
    unique = _unique_items(schema)

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
    checks = [*_texts(raw), *_numbers(raw), *_sizes(raw), *_members(raw), *_junctors(raw)]
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
    return Cause(_field(path), "FieldValueTypeInvalid", message)


def _field(path: Path) -> str:
    """An error at the root has no field of its own."""
    return render(path) or "<nil>"


def _broken(value: Any, path: Path, rule: str) -> Cause:
    return invalid(_field(path), value, f"{render(path)} in body {rule}")


def _texts(raw: Object) -> Iterable[Check]:
    least, most, expression = raw.get("minLength"), raw.get("maxLength"), raw.get("pattern")
    form = raw.get("format") or ""
    matches = formats.pattern(expression) if expression else None
    if not formats.known(form):
        form = ""
    if least is None and most is None and matches is None and not form:
        return

    def check(value: Any, path: Path, causes: list[Cause]) -> None:
        if type(value) is not str:
            return
        if most is not None and len(value) > most:
            message = f"Too long: may not be more than {most} bytes"
            causes.append(Cause(_field(path), "FieldValueTooLong", message))
        if least is not None and len(value) < least:
            causes.append(_broken(value, path, f"should be at least {least} chars long"))
        if matches is not None and not matches(value):
            causes.append(_broken(value, path, f"should match '{expression}'"))
        if form and not formats.holds(form, value):
            quoted = msgspec.json.encode(value).decode()
            causes.append(_broken(value, path, f"must be of type {form}: {quoted}"))

    yield check


def _numbers(raw: Object) -> Iterable[Check]:
    least, most, factor = raw.get("minimum"), raw.get("maximum"), raw.get("multipleOf")
    above, below = raw.get("exclusiveMinimum") is True, raw.get("exclusiveMaximum") is True
    bound = _INTEGER_BOUNDS.get(raw.get("format") or "")
    if least is None and most is None and not factor and bound is None:
        return

    def check(value: Any, path: Path, causes: list[Cause]) -> None:
        if type(value) not in (int, float):
            return
        if bound is not None and not -bound <= value < bound:
            rule = f"must be of type {raw['format']}: {msgspec.json.encode(value).decode()}"
            causes.append(_broken(value, path, rule))
        if most is not None and (value >= most if below else value > most):
            rule = "should be less than" + ("" if below else " or equal to")
            causes.append(_broken(value, path, f"{rule} {_plain(most)}"))
        if least is not None and (value <= least if above else value < least):
            rule = "should be greater than" + ("" if above else " or equal to")
            causes.append(_broken(value, path, f"{rule} {_plain(least)}"))
        if factor and not float(value / factor).is_integer():
            causes.append(_broken(value, path, f"should be a multiple of {_plain(factor)}"))

    yield check


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _sizes(raw: Object) -> Iterable[Check]:
    least, most = raw.get("minItems"), raw.get("maxItems")
    if least is not None or most is not None:
        yield _size(list, "items", least, most)
    least, most = raw.get("minProperties"), raw.get("maxProperties")
    if least is not None or most is not None:
        yield _size(dict, "properties", least, most)


def _size(
    kind: type[list[Any]] | type[Object], name: str, least: int | None, most: int | None
) -> Check:
    def check(value: Any, path: Path, causes: list[Cause]) -> None:
        if not isinstance(value, kind):
            return
        if most is not None and len(value) > most:
            causes.append(too_many(_field(path), len(value), most))
        if least is not None and len(value) < least:
            causes.append(_broken(len(value), path, f"should have at least {least} {name}"))

    return check


def _members(raw: Object) -> Iterable[Check]:
    required, allowed = raw.get("required"), raw.get("enum")
    if required:
        yield _required(tuple(required))
    if allowed:
        yield _enum(allowed)


def _required(names: tuple[str, ...]) -> Check:
    def check(value: Any, path: Path, causes: list[Cause]) -> None:
        if type(value) is dict:
            for name in names:
                if name not in value:
                    field = render((path, name))
                    causes.append(Cause(field, "FieldValueRequired", "Required value"))

    return check


def _enum(allowed: list[Any]) -> Check:
    quoted = ", ".join(
        f'"{it}"' if isinstance(it, str) else f'"{msgspec.json.encode(it).decode()}"'
        for it in allowed
    )

    def check(value: Any, path: Path, causes: list[Cause]) -> None:
        # Python takes True for 1.
        if not any(type(it) is type(value) and it == value for it in allowed):
            given = msgspec.json.encode(value).decode()
            message = f"Unsupported value: {given}: supported values: {quoted}"
            causes.append(Cause(_field(path), "FieldValueNotSupported", message))

    return check


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


def _unique_items(schema: Structural) -> Check | None:
    """List types set and map hold no item twice."""
    keys = schema.list_map_keys
    if schema.list_type not in ("set", "map"):
        return None
    defaults = {
        key: member.default
        for key, member in (schema.items.properties if schema.items else {}).items()
        if key in keys and member.has_default
    }

    def identity(item: Any) -> Any:
        if schema.list_type == "set" or type(item) is not dict:
            return item
        return {key: item.get(key, defaults.get(key)) for key in keys if key in item}

    def check(value: Any, path: Path, causes: list[Cause]) -> None:
        seen: set[bytes] = set()
        for index, item in enumerate(value):
            mark = msgspec.json.encode(identity(item), order="sorted")
            if mark in seen:
                causes.append(duplicate(render((path, index)), identity(item)))
            seen.add(mark)

    return check
