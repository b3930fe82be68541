"""The part of kubectl's JSONPath that custom resources may use: for columns, fields and scale.

Members (`.spec.replicas`, `['a.b']`), items (`[0]`, `[-1]`, `[*]`, `[0:2]`) and filters that
compare (`[?(@.type=="Ready")]`). Pure; a path is parsed once.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

_MAXIMUM_LENGTH = 4096
_NAME = re.compile(r"(?:[^.\[\]\\'\"*?@()]|\\.)+")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_SLICE = re.compile(r"(-?\d+)?:(-?\d+)?(?::(\d+))?")
_FILTER = re.compile(
    r"\?\(\s*@(?P<path>[^\s=!<>()]*)\s*(?:(?P<operator>==|!=|<=|>=|<|>)\s*(?P<value>.+?)\s*)?\)"
)
_ESCAPED = re.compile(r"\\(.)")

Step = Callable[[Iterable[Any]], list[Any]]


class InvalidPath(ValueError):
    """The text is no path of this form."""


class JsonPath(msgspec.Struct, frozen=True):
    """A parsed path. `keys` are its members where it has nothing else, else None."""

    text: str
    steps: tuple[Step, ...]
    keys: tuple[str, ...] | None

    def find(self, tree: Any) -> list[Any]:
        """All values that the path leads to; none where something is missing."""
        found: list[Any] = [tree]
        for step in self.steps:
            found = step(found)
        return found


def parse(text: str) -> JsonPath:
    """Raises InvalidPath."""
    if len(text) > _MAXIMUM_LENGTH:
        raise InvalidPath("the path is too long")
    rest = text.strip()
    if rest.startswith("{") and rest.endswith("}"):
        rest = rest[1:-1].strip()
    rest = rest.removeprefix("$")
    if rest and rest[0] not in ".[":
        raise InvalidPath(f"unexpected path string, expected a '.' at the beginning: {text!r}")
    steps: list[Step] = []
    keys: list[str] | None = []
    while rest:
        if rest.startswith("["):
            inner, rest = _bracketed(rest, text)
            step, key = _in_brackets(inner, text)
        else:
            found = _NAME.match(rest, 1)
            if found is None:
                if rest == ".":
                    break
                raise InvalidPath(f"unrecognized character in {text!r}")
            key = _ESCAPED.sub(r"\1", found.group())
            step, rest = _member(key), rest[found.end() :]
        steps.append(step)
        keys = None if keys is None or key is None else [*keys, key]
    return JsonPath(text, tuple(steps), None if keys is None else tuple(keys))


def _bracketed(rest: str, text: str) -> tuple[str, str]:
    """What stands between a bracket and its counterpart, and what follows."""
    depth, quote = 0, ""
    for index, character in enumerate(rest):
        if quote:
            quote = "" if character == quote and rest[index - 1] != "\\" else quote
        elif character in "'\"":
            quote = character
        elif character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
            if depth == 0:
                return rest[1:index].strip(), rest[index + 1 :]
    raise InvalidPath(f"unterminated array in {text!r}")


def _in_brackets(inner: str, text: str) -> tuple[Step, str | None]:
    """The step, and the key if it is a member."""
    quoted = _QUOTED.fullmatch(inner)
    if quoted is not None:
        key = _ESCAPED.sub(r"\1", quoted.group(1) if quoted.group(1) is not None else quoted[2])
        return _member(key), key
    if inner == "*":
        return _every, None
    if re.fullmatch(r"-?\d{1,9}", inner):
        return _item(int(inner)), None
    sliced = _SLICE.fullmatch(inner)
    if sliced is not None:
        first, last, width = (int(it) if it else None for it in sliced.groups())
        return _part(slice(first, last, width or None)), None
    condition = _FILTER.fullmatch(inner)
    if condition is not None:
        return _filter(condition, text), None
    raise InvalidPath(f"unsupported expression [{inner}] in {text!r}")


def _member(key: str) -> Step:
    return lambda found: [it[key] for it in found if type(it) is dict and key in it]


def _every(found: Iterable[Any]) -> list[Any]:
    listed = (it.values() if type(it) is dict else it for it in found if type(it) in (dict, list))
    return [value for values in listed for value in values]


def _item(index: int) -> Step:
    return lambda found: [
        it[index] for it in found if type(it) is list and -len(it) <= index < len(it)
    ]


def _part(chosen: slice) -> Step:
    return lambda found: [value for it in found if type(it) is list for value in it[chosen]]


def _filter(condition: re.Match[str], text: str) -> Step:
    path = parse(condition["path"])
    operator, wanted = condition["operator"], None
    if operator:
        wanted = _literal(condition["value"], text)

    def holds(item: Any) -> bool:
        values = path.find(item)
        return bool(values) and (not operator or _compares(values[0], operator, wanted))

    return lambda found: [it for it in _every(found) if holds(it)]


def _literal(written: str, text: str) -> Any:
    quoted = _QUOTED.fullmatch(written)
    if quoted is not None:
        return _ESCAPED.sub(r"\1", quoted.group(1) if quoted.group(1) is not None else quoted[2])
    try:
        return msgspec.json.decode(written)
    except msgspec.DecodeError as error:
        raise InvalidPath(f"unsupported value {written} in {text!r}") from error


def _compares(given: Any, operator: str, wanted: Any) -> bool:
    if operator == "==":
        return bool(given == wanted)
    if operator == "!=":
        return bool(given != wanted)
    try:
        compared: dict[str, bool] = {
            "<": given < wanted,
            ">": given > wanted,
            "<=": given <= wanted,
            ">=": given >= wanted,
        }
    except TypeError:
        return False
    return compared[operator]
