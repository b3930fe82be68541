"""Label selectors and field selectors: their text forms, their object form, and matching.

The grammar is that of k8s.io/apimachinery `labels` and `fields`: `a=b,c!=d,e in (f,g),h,!i`.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from sampan.kubernetes.machinery import names

Operator = Literal["in", "notin", "exists", "absent", "greater", "less"]
_MAXIMUM_LENGTH = 64 << 10


class InvalidSelector(ValueError):
    """The text or object is no selector."""


class Requirement(msgspec.Struct, frozen=True):
    """One condition on a label; `values` is empty for exists and absent."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "in":
            return value is not None and value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "absent":
            return value is None
        return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        if value is None or not re.fullmatch(r"-?[0-9]{1,19}", value):
            return False
        bound = int(next(iter(self.values)))
        return int(value) > bound if self.operator == "greater" else int(value) < bound


class Selector(msgspec.Struct, frozen=True):
    """A conjunction of requirements; without any it matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)

    @property
    def equalities(self) -> tuple[tuple[str, str], ...]:
        """The label pairs that every match must have: what an index can be asked for."""
        return tuple(
            (requirement.key, next(iter(requirement.values)))
            for requirement in self.requirements
            if requirement.operator == "in" and len(requirement.values) == 1
        )


class FieldRequirement(msgspec.Struct, frozen=True):
    field: str
    value: str
    equal: bool = True


class FieldSelector(msgspec.Struct, frozen=True):
    """A conjunction of equalities and inequalities on a kind's selectable fields."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        return all((fields.get(it.field, "") == it.value) is it.equal for it in self.requirements)

    @property
    def equalities(self) -> tuple[tuple[str, str], ...]:
        return tuple((it.field, it.value) for it in self.requirements if it.equal)


_TOKEN = re.compile(r"\s*(?:(?P<sign>==|!=|=|!|,|\(|\)|<|>)|(?P<word>[^\s=!,()<>]+))")
_SIGNS: dict[str, Operator] = {
    "=": "in",
    "==": "in",
    "!=": "notin",
    "in": "in",
    "notin": "notin",
    ">": "greater",
    "<": "less",
}


class _Tokens:
    """A cursor over the tokens of a selector; the end is the empty string."""

    def __init__(self, text: str) -> None:
        self.items: list[str] = []
        self.position = 0
        offset = 0
        text = text.rstrip()
        while offset < len(text):
            match = _TOKEN.match(text, offset)
            if match is None:
                raise InvalidSelector(f"unable to parse requirement: found '{text[offset:][:40]}'")
            self.items.append(match[0].strip())
            offset = match.end()

    def peek(self) -> str:
        return self.items[self.position] if self.position < len(self.items) else ""

    def take(self) -> str:
        token = self.peek()
        self.position += 1
        return token

    def expect(self, *wanted: str) -> str:
        token = self.take()
        if token not in wanted:
            expected = ", ".join(f"'{it}'" if it else "end" for it in wanted)
            raise InvalidSelector(
                f"unable to parse requirement: found '{token}', expected: {expected}"
            )
        return token


def parse(text: str) -> Selector:
    """A label selector as it stands in a query; raises InvalidSelector."""
    if len(text) > _MAXIMUM_LENGTH:
        raise InvalidSelector("the label selector is too long")
    tokens = _Tokens(text)
    if not tokens.items:
        return Selector()
    requirements = [_requirement(tokens)]
    while tokens.expect(",", "") == ",":
        requirements.append(_requirement(tokens))
    return Selector(tuple(requirements))


def _requirement(tokens: _Tokens) -> Requirement:
    absent = tokens.peek() == "!"
    if absent:
        tokens.take()
    key = _key(tokens.take())
    if absent:
        return Requirement(key, "absent")
    if tokens.peek() in ("", ","):
        return Requirement(key, "exists")
    sign = tokens.expect("=", "==", "!=", "in", "notin", ">", "<")
    if sign in ("in", "notin"):
        return _checked(key, _SIGNS[sign], _values(tokens))
    value = "" if tokens.peek() in ("", ",") else tokens.take()
    return _checked(key, _SIGNS[sign], frozenset((value,)))


def _values(tokens: _Tokens) -> frozenset[str]:
    tokens.expect("(")
    values: set[str] = set()
    while True:
        values.add("" if tokens.peek() in (",", ")") else tokens.take())
        if tokens.expect(",", ")") == ")":
            return frozenset(values)


def _key(text: str) -> str:
    if not text or text in "=!,()<>":
        raise InvalidSelector(f"unable to parse requirement: found '{text}', expected: identifier")
    messages = names.qualified_name(text)
    if messages:
        raise InvalidSelector(f'key: Invalid value: "{text}": {messages[0]}')
    return text


def _checked(key: str, operator: Operator, values: frozenset[str]) -> Requirement:
    for value in values:
        if operator in ("greater", "less"):
            if not re.fullmatch(r"-?[0-9]{1,19}", value):
                raise InvalidSelector(
                    f"values[0][{key}]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, "
                    "the value must be an integer"
                )
        elif messages := names.label_value(value):
            raise InvalidSelector(f'values[0][{key}]: Invalid value: "{value}": {messages[0]}')
    return Requirement(key, operator, values)


_OBJECT_OPERATORS: dict[str, Operator] = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "absent",
    "Gt": "greater",
    "Lt": "less",
}


def from_object(selector: Mapping[str, Any] | None) -> Selector | None:
    """A metav1.LabelSelector (or a node selector term's `matchExpressions`).

    None, which selects nothing, for None; an empty one selects everything. Raises InvalidSelector.
    """
    if selector is None:
        return None
    pairs = (selector.get("matchLabels") or {}).items()
    requirements = [Requirement(key, "in", frozenset((value,))) for key, value in pairs]
    for expression in selector.get("matchExpressions") or ():
        operator = _OBJECT_OPERATORS.get(expression.get("operator", ""))
        if operator is None:
            raise InvalidSelector(
                f'"{expression.get("operator")}" is not a valid selector operator'
            )
        values = frozenset(expression.get("values") or ())
        if operator in ("greater", "less") and len(values) != 1:
            raise InvalidSelector("Gt and Lt need exactly one value")
        requirements.append(_checked(expression["key"], operator, values))
    return Selector(tuple(requirements))


def show(selector: Selector) -> str:
    """The text form, as kubectl shows it: `a=b,c in (d,e)`; `<none>` when there is nothing."""
    return ",".join(_show(requirement) for requirement in selector.requirements) or "<none>"


def _show(requirement: Requirement) -> str:
    values = sorted(requirement.values)
    match requirement.operator:
        case "exists":
            return requirement.key
        case "absent":
            return f"!{requirement.key}"
        case "in" if len(values) == 1:
            return f"{requirement.key}={values[0]}"
        case "greater" | "less":
            return (
                f"{requirement.key}{'>' if requirement.operator == 'greater' else '<'}{values[0]}"
            )
        case _:
            return f"{requirement.key} {requirement.operator} ({','.join(values)})"


def parse_fields(text: str) -> FieldSelector:
    """A field selector: `metadata.name=a,status.phase!=Running`; raises InvalidSelector."""
    if len(text) > _MAXIMUM_LENGTH:
        raise InvalidSelector("the field selector is too long")
    requirements = []
    for part in re.split(r"(?<!\\),", text):
        if not part:
            continue
        match = re.fullmatch(r"([^=!]+)(==|!=|=)(.*)", part, re.DOTALL)
        if match is None:
            raise InvalidSelector(f"invalid selector: '{text}'; can't understand '{part}'")
        value = match[3]
        if not re.fullmatch(r"(?:[^\\,=]|\\[\\,=])*", value):
            raise InvalidSelector(f"invalid field selector value: '{value}'")
        plain = re.sub(r"\\(.)", r"\1", value)
        requirements.append(FieldRequirement(match[1], plain, match[2] != "!="))
    return FieldSelector(tuple(requirements))
