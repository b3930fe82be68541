"""Values as Go's encoding/json writes them: no blanks, the keys of maps in order."""

import json
from typing import Any

from sampan.faces.cli.templates.printing import shortest
from sampan.faces.cli.templates.values import GoList, GoMap, NoValue, Record

_MARKUP = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_LINES = {"\u2028": "\\u2028", "\u2029": "\\u2029"}
_LARGE, _SMALL = 21, -6


def json_text(value: Any, *, escapes_markup: bool = False) -> str:
    """One line; `escapes_markup` writes `<`, `>` and `&` as numbers, as Go does by itself."""
    if isinstance(value, str):
        return _string(value, escapes_markup)
    if isinstance(value, Record):
        return _object(GoMap(value.fields), True)
    if isinstance(value, NoValue) or (isinstance(value, (GoMap, GoList)) and value.is_nil):
        return "null"
    if isinstance(value, dict):
        return _object(value, escapes_markup)
    if isinstance(value, (list, tuple)):
        return f"[{','.join(json_text(it, escapes_markup=escapes_markup) for it in value)}]"
    return shortest(value, _LARGE, _SMALL) if isinstance(value, float) else json.dumps(value)


def _object(value: dict[str, Any], escapes_markup: bool) -> str:
    names = sorted(value) if isinstance(value, GoMap) else list(value)
    inner = (
        f"{_string(name, escapes_markup)}:{json_text(value[name], escapes_markup=escapes_markup)}"
        for name in names
    )
    return f"{{{','.join(inner)}}}"


def _string(text: str, escapes_markup: bool) -> str:
    encoded = json.dumps(text, ensure_ascii=False)
    for letter, escaped in (*_LINES.items(), *(_MARKUP.items() if escapes_markup else ())):
        encoded = encoded.replace(letter, escaped)
    return encoded
