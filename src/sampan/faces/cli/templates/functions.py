"""The functions that a template may call: Go's own and docker's.

`and` and `or` are not here: they evaluate no more of their arguments than they need. Sources:
the documentation of Go's text/template, and of docker's formatting of output.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from sampan.faces.cli.templates.json_text import json_text
from sampan.faces.cli.templates.printing import (
    LARGEST_TEXT,
    joined,
    print_formatted,
    printed,
)
from sampan.faces.cli.templates.values import (
    NO_VALUE,
    GoMap,
    NoValue,
    TemplateFailed,
    is_true,
)

LAZY = frozenset(("and", "or"))
_WORD_STARTS = re.compile(r"(?<![\w'])[^\W\d_]")
_MANY = 1 << 30


def _text(value: Any) -> str:
    if isinstance(value, NoValue) or not isinstance(value, str):
        raise TemplateFailed(f"wrong type for value; expected string; got {printed(value)[:80]}")
    return value


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TemplateFailed(f"wrong type for value; expected int; got {printed(value)[:80]}")
    return value


def _is_equal(first: Any, *others: Any) -> bool:
    for other in others:
        kinds = _kind(first), _kind(other)
        if kinds[0] != kinds[1] and "nil" not in kinds:
            raise TemplateFailed("incompatible types for comparison")
        if first == other:
            return True
    return False


def _is_less(first: Any, second: Any) -> bool:
    if _kind(first) != _kind(second) or _kind(first) not in ("number", "string"):
        raise TemplateFailed("incompatible types for comparison")
    return bool(first < second)


def _kind(value: Any) -> str:
    if value is None or isinstance(value, NoValue):
        return "nil"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    raise TemplateFailed("invalid type for comparison")


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, (GoMap, list, tuple)):
        return len(value)
    raise TemplateFailed(f"len of {printed(value)[:80]}")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = _indexed(value, key)
    return value


def _indexed(value: Any, key: Any) -> Any:
    if isinstance(value, GoMap):
        return value.get(_text(key), value.zero)
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if not isinstance(value, (list, tuple, bytes)):
        raise TemplateFailed(f"can't index {printed(value)[:80]}")
    if not 0 <= _number(key) < len(value):
        raise TemplateFailed(f"index out of range: {key}")
    return value[key]


def _slice(value: Any, *bounds: Any) -> Any:
    content = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    if not isinstance(content, (bytes, list, tuple)):
        raise TemplateFailed(f"can't slice {printed(value)[:80]}")
    start = _number(bounds[0]) if bounds else 0
    end = _number(bounds[1]) if len(bounds) > 1 else len(content)
    if not 0 <= start <= end <= len(content):
        raise TemplateFailed(f"index out of range: {start}:{end}")
    part = content[start:end]
    return part.decode("utf-8", "surrogateescape") if isinstance(part, bytes) else part


def _print(*values: Any) -> str:
    """Blanks between operands of which neither is a string."""
    pieces: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            pieces.append(" ")
        pieces.append(printed(value))
    return joined(pieces, "")


def _print_line(*values: Any) -> str:
    return joined(map(printed, values), " ") + "\n"


def _join(elements: Any, separator: Any) -> str:
    if elements is None or isinstance(elements, NoValue):
        return ""
    if isinstance(elements, GoMap):
        return joined(sorted(map(printed, elements.values())), _text(separator))
    if not isinstance(elements, (list, tuple)):
        raise TemplateFailed(f"can't join {printed(elements)[:80]}")
    return joined(map(printed, elements), _text(separator))


def _split(text: Any, separator: Any) -> list[str]:
    if not _text(separator):
        return list(_text(text))
    return _text(text).split(separator)


def _pad(text: Any, before: Any, behind: Any) -> str:
    if min(_number(before), _number(behind)) < 0 or before + behind > LARGEST_TEXT:
        raise TemplateFailed(f"can't pad with {before} and {behind} blanks")
    return f"{' ' * before}{text}{' ' * behind}" if _text(text) else ""


def _truncate(text: Any, length: Any) -> str:
    encoded = _text(text).encode("utf-8", "surrogateescape")
    if _number(length) < 0:
        raise TemplateFailed(f"can't truncate to {length}")
    return encoded[:length].decode("utf-8", "surrogateescape")


def _title(text: Any) -> str:
    return _WORD_STARTS.sub(lambda found: found.group().upper(), _text(text))


def _unchanged(value: Any, *_: Any) -> Any:
    return value


# With how many arguments each may be called.
FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int, int]] = {
    "not": (lambda value: not is_true(value), 1, 1),
    "eq": (_is_equal, 2, _MANY),
    "ne": (lambda first, second: not _is_equal(first, second), 2, 2),
    "lt": (_is_less, 2, 2),
    "le": (lambda first, second: not _is_less(second, first), 2, 2),
    "gt": (lambda first, second: _is_less(second, first), 2, 2),
    "ge": (lambda first, second: not _is_less(first, second), 2, 2),
    "len": (_length, 1, 1),
    "index": (_index, 1, _MANY),
    "slice": (_slice, 1, 3),
    "print": (_print, 0, _MANY),
    "printf": (lambda template, *values: print_formatted(_text(template), *values), 1, _MANY),
    "println": (_print_line, 0, _MANY),
    "json": (json_text, 1, 1),
    "split": (_split, 2, 2),
    "join": (_join, 2, 2),
    "title": (_title, 1, 1),
    "lower": (lambda text: _text(text).lower(), 1, 1),
    "upper": (lambda text: _text(text).upper(), 1, 1),
    "pad": (_pad, 3, 3),
    "truncate": (_truncate, 2, 2),
}
# What leaves the headings of a table as they are.
HEADING_FUNCTIONS = {
    **FUNCTIONS,
    **{name: (_unchanged, *FUNCTIONS[name][1:]) for name in ("json", "title", "lower", "upper")},
    "truncate": (_unchanged, 2, 2),
}


def called(name: str, table: Mapping[str, tuple[Callable[..., Any], int, int]], given: Any) -> Any:
    """A function's result. Raises TemplateFailed."""
    function, fewest, most = table[name]
    if not fewest <= len(given) <= most:
        raise TemplateFailed(f"wrong number of args for {name}: got {len(given)}")
    try:
        return function(*(None if value is NO_VALUE else value for value in given))
    except TemplateFailed as failure:
        raise TemplateFailed(f"error calling {name}: {failure}") from failure
