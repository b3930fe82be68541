"""Rules that claims, classes and slices share: selectors, configuration, taints, attributes.

Rules of pkg/apis/resource/validation.
"""

from collections.abc import Callable, Collection, Iterator

import msgspec

from sampan.kubernetes.kinds.field_rules import check_choice, check_driver_name, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import (
    invalid,
    required,
    too_long,
    too_many,
)

MAXIMUM_ENTRIES = 32
LONGEST_NAME = 253
_LONGEST_EXPRESSION = 10 << 10
_LONGEST_PARAMETERS = 10 << 10
_LONGEST_IDENTIFIER = 32
_LONGEST_DOMAIN = 63
_TAINT_EFFECTS = ("NoExecute", "NoSchedule", "None")
_TOLERATION_EFFECTS = ("NoExecute", "NoSchedule")
_OPERATORS = ("Equal", "Exists")


def check_count(entries: Collection[object], maximum: int, field: str) -> Iterator[Cause]:
    if len(entries) > maximum:
        yield too_many(field, len(entries), maximum)


def check_selectors(selectors: list[Object], field: str) -> Iterator[Cause]:
    """Expressions about devices; what they say is compiled elsewhere."""
    yield from check_count(selectors, MAXIMUM_ENTRIES, field)
    for index, selector in enumerate(selectors):
        path = f"{field}[{index}].cel"
        if "cel" not in selector:
            yield required(path)
            continue
        expression = selector["cel"].get("expression", "")
        if not expression:
            yield required(f"{path}.expression")
        elif len(expression) > _LONGEST_EXPRESSION:
            yield too_long(f"{path}.expression", _LONGEST_EXPRESSION)


def check_configuration(entry: Object, field: str) -> Iterator[Cause]:
    """What a driver gets handed without anybody else reading it."""
    opaque = entry.get("opaque")
    if opaque is None:
        yield required(f"{field}.opaque")
        return
    yield from check_driver_name(opaque.get("driver", ""), f"{field}.opaque.driver")
    parameters = opaque.get("parameters")
    path = f"{field}.opaque.parameters"
    if parameters is None:
        yield required(path)
    elif not isinstance(parameters, dict):
        yield invalid(path, "<value omitted>", "parameters must be a valid JSON object")
    elif len(msgspec.json.encode(parameters)) > _LONGEST_PARAMETERS:
        yield too_long(path, _LONGEST_PARAMETERS)


def check_tolerations(tolerations: list[Object], field: str, maximum: int) -> Iterator[Cause]:
    yield from check_count(tolerations, maximum, field)
    for index, toleration in enumerate(tolerations):
        path, key = f"{field}[{index}]", toleration.get("key", "")
        if key:
            yield from check_text(names.qualified_name, key, f"{path}.key")
        elif toleration.get("operator") == "Equal":
            detail = "must be Exists when key is empty"
            yield invalid(f"{path}.operator", "Equal", detail)
        yield from check_choice(toleration, "operator", _OPERATORS, path)
        if toleration.get("operator") == "Exists" and toleration.get("value"):
            yield invalid(f"{path}.value", toleration["value"], "must be empty for operator Exists")
        for message in names.label_value(toleration.get("value", "")):
            yield invalid(f"{path}.value", toleration["value"], message)
        if toleration.get("effect"):
            yield from check_choice(toleration, "effect", _TOLERATION_EFFECTS, path)


def check_taint(taint: Object, field: str) -> Iterator[Cause]:
    yield from check_text(names.qualified_name, taint.get("key", ""), f"{field}.key")
    for message in names.label_value(taint.get("value", "")):
        yield invalid(f"{field}.value", taint["value"], message)
    if not taint.get("effect"):
        yield required(f"{field}.effect")
    else:
        yield from check_choice(taint, "effect", _TAINT_EFFECTS, field)


def check_qualified(name: str, field: str) -> Iterator[Cause]:
    """`domain/identifier` or the identifier alone, which is one of C."""
    if not name:
        yield required(field, "name required")
        return
    domain, slash, identifier = name.rpartition("/")
    if "/" in domain:
        yield invalid(field, name, "must be a domain and a name separated by one '/'")
        return
    if slash and not domain:
        yield required(field, "the domain must not be empty")
    elif slash:
        yield from check_text(names.subdomain, domain, field)
        if len(domain) > _LONGEST_DOMAIN:
            yield too_long(field, _LONGEST_DOMAIN)
    yield from _check_identifier(identifier, field)


def check_fully_qualified(name: str, field: str) -> Iterator[Cause]:
    """`domain/identifier`."""
    yield from check_qualified(name, field)
    if name and "/" not in name:
        yield invalid(field, name, "must include a domain")


def _check_identifier(identifier: str, field: str) -> Iterator[Cause]:
    if not identifier:
        yield required(field, "the name must not be empty")
    elif len(identifier) > _LONGEST_IDENTIFIER:
        yield too_long(field, _LONGEST_IDENTIFIER)
    elif not (identifier.isascii() and identifier.isidentifier()):
        detail = "a valid C identifier must start with alphabetic character or '_', followed by a "
        detail += "string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or "
        detail += "'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')"
        yield invalid(field, identifier, detail)


def check_pool(name: str, field: str) -> Iterator[Cause]:
    """DNS names joined by `/`."""
    if not name:
        yield required(field)
    elif len(name) > LONGEST_NAME:
        yield too_long(field, LONGEST_NAME)
    else:
        for piece in name.split("/"):
            yield from check_text(names.subdomain, piece, field)


def check_exactly_one(given: Object, keys: Collection[str], field: str) -> Iterator[Cause]:
    """One of `keys`, and only one, is there."""
    present = [key for key in keys if given.get(key)]
    shown = ", ".join(f"`{key}`" for key in keys)
    if not present:
        yield required(field, f"exactly one of {shown} is required")
    elif len(present) > 1:
        detail = f"exactly one of {shown} is required, but multiple fields are set"
        yield invalid(field, f"{{{', '.join(present)}}}", detail)


def check_names(
    entries: list[Object], check: Callable[[str], tuple[str, ...]], field: str
) -> Iterator[Cause]:
    """Each entry of a list has a name of its own."""
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        path, name = f"{field}[{index}].name", entry.get("name", "")
        if not name:
            yield required(path)
            continue
        yield from check_text(check, name, path)
        if name in seen:
            yield Cause(path, "FieldValueDuplicate", f'Duplicate value: "{name}"')
        seen.add(name)
