"""The keywords of OpenAPI that judge one value by itself, in the words of kube-openapi.

Each function makes the checks of the keywords that a schema has, none for those that it hasn't.
What holds a whole schema together, and how members are reached, is not known here.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import invalid, too_many
from sampan.kubernetes.schema import formats
from sampan.kubernetes.schema.pruning import Path
from sampan.kubernetes.schema.structure import render

Check = Callable[[Any, Path, list[Cause]], None]

_INTEGER_BOUNDS = {"int32": 2**31, "int64": 2**63}


def field_of(path: Path) -> str:
    """An error at the root has no field of its own."""
    return render(path) or "<nil>"


def _broken(value: Any, path: Path, rule: str) -> Cause:
    return invalid(field_of(path), value, f"{render(path)} in body {rule}")


def check_texts(raw: Object) -> Iterable[Check]:
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
            causes.append(Cause(field_of(path), "FieldValueTooLong", message))
        if least is not None and len(value) < least:
            causes.append(_broken(value, path, f"should be at least {least} chars long"))
        if matches is not None and not matches(value):
            causes.append(_broken(value, path, f"should match '{expression}'"))
        if form and not formats.holds(form, value):
            quoted = msgspec.json.encode(value).decode()
            causes.append(_broken(value, path, f"must be of type {form}: {quoted}"))

    yield check


def check_numbers(raw: Object) -> Iterable[Check]:
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


def check_sizes(raw: Object) -> Iterable[Check]:
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
            causes.append(too_many(field_of(path), len(value), most))
        if least is not None and len(value) < least:
            causes.append(_broken(len(value), path, f"should have at least {least} {name}"))

    return check


def check_members(raw: Object) -> Iterable[Check]:
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
            causes.append(Cause(field_of(path), "FieldValueNotSupported", message))

    return check
