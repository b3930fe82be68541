"""Values as Go prints them: `%v`, the other verbs of printf, and quoted strings.

Source: the documentation of Go's package fmt.
"""

import re
from decimal import Decimal
from typing import Any

from sampan.faces.cli.templates.values import GoMap, NoValue, Record, TemplateFailed

LARGEST_TEXT = 4 << 20
_WIDEST = 10_000
_VERB = re.compile(r"%([-+# 0]*)(\d*)(?:\.(\d*))?(.|$)", re.DOTALL)
_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}
_INTEGERS = {"v": "d", "d": "d", "x": "x", "X": "X", "o": "o", "b": "b"}
_FLOATS = frozenset("eEfFgG")


def printed(value: Any) -> str:
    """`%v`; the structs of documents have no names at their fields."""
    if isinstance(value, (Record, dict, list, tuple)):
        return _container(value)
    if value is None or isinstance(value, NoValue):
        return "<nil>" if value is None else "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return shortest(value, 21, -4) if isinstance(value, float) else str(value)


def _container(value: Any) -> str:
    if isinstance(value, Record):
        value = GoMap(value.fields)
    if isinstance(value, GoMap):
        inner = (f"{key}:{printed(value[key])}" for key in sorted(value))
        return f"map[{joined(inner, ' ')}]"
    if isinstance(value, dict):
        return f"{{{joined(map(printed, value.values()), ' ')}}}"
    return f"[{joined(map(printed, value), ' ')}]"


def joined(texts: Any, separator: str) -> str:
    """Texts in a row. Raises TemplateFailed when they are too long."""
    kept, size = [], 0
    for text in texts:
        size += len(text) + len(separator)
        if size > LARGEST_TEXT:
            raise TemplateFailed("a template makes a text that is too long")
        kept.append(text)
    return separator.join(kept)


def shortest(value: float, large: int, small: int) -> str:
    """The shortest digits that read as the same number; powers of ten beyond the bounds."""
    text = repr(value)
    if text in ("inf", "-inf", "nan"):
        return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}[text]
    decimal = Decimal(text)
    if value and not small <= decimal.adjusted() < large:
        digits = "".join(map(str, decimal.as_tuple().digits)).rstrip("0") or "0"
        point = f".{digits[1:]}" if digits[1:] else ""
        return f"{'-' if value < 0 else ''}{digits[0]}{point}e{decimal.adjusted():+03d}"
    plain = format(decimal, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def quoted(text: str) -> str:
    """A string between double quotes, as Go would read it."""
    return '"' + "".join(_ESCAPES.get(letter) or _shown(letter) for letter in text) + '"'


def _shown(letter: str) -> str:
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def print_formatted(template: str, *values: Any) -> str:
    """printf. What fits a verb not is told as Go tells it. Raises TemplateFailed."""
    pieces, position, left = [], 0, list(values)
    for match in _VERB.finditer(template):
        pieces.append(template[position : match.start()])
        position = match.end()
        flags, width, precision, verb = match.groups()
        if verb == "%":
            pieces.append("%")
        elif not verb:
            pieces.append("%!(NOVERB)")
        elif not left:
            pieces.append(f"%!{verb}(MISSING)")
        else:
            pieces.append(_verb(left.pop(0), flags, width, precision, verb))
    pieces.append(template[position:])
    if left:
        extra = ", ".join(f"{_type_of(value)}={printed(value)}" for value in left)
        pieces.append(f"%!(EXTRA {extra})")
    return joined(pieces, "")


def _verb(value: Any, flags: str, width: str, precision: str | None, verb: str) -> str:
    wide, exact = int(width or 0), None if precision is None else int(precision or 0)
    if max(wide, exact or 0) > _WIDEST:
        raise TemplateFailed(f"printf is to pad to more than {_WIDEST} characters")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    text = _bare(value, flags, exact, verb)
    if text is None:
        return f"%!{verb}({_type_of(value)}={printed(value)})"
    if "-" in flags:
        return text.ljust(wide)
    if "0" in flags and is_number:
        return text.zfill(wide)
    return text.rjust(wide)


def _bare(value: Any, flags: str, precision: int | None, verb: str) -> str | None:
    """Before it is padded; None for a verb that doesn't fit."""
    sign = "+" if "+" in flags else " " if " " in flags else ""
    if verb == "T":
        return _type_of(value)
    if isinstance(value, str):
        return _string(value, flags, precision, verb)
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer(value, flags, sign, verb)
    if isinstance(value, float) and verb in _FLOATS:
        return _float(value, sign, precision, verb)
    fitting = "tv" if isinstance(value, bool) else "v" if isinstance(value, float) else "vs"
    return printed(value) if verb in fitting else None


def _integer(value: int, flags: str, sign: str, verb: str) -> str | None:
    if verb == "c":
        return chr(value) if 0 <= value <= 0x10FFFF else "\ufffd"
    if verb not in _INTEGERS:
        return None
    alternate = "#" if "#" in flags and verb in "xXob" else ""
    return format(value, f"{sign}{alternate}{_INTEGERS[verb]}")


def _float(value: float, sign: str, precision: int | None, verb: str) -> str:
    if verb in "gG" and precision is None:
        return shortest(value, 21, -4)
    return format(value, f"{sign}.{6 if precision is None else precision}{verb}")


def _string(value: str, flags: str, precision: int | None, verb: str) -> str | None:
    if verb == "q":
        return quoted(value)
    if verb == "v" and "#" in flags:
        return quoted(value)
    if verb in "vs":
        return value if precision is None else value[:precision]
    if verb in "xX":
        encoded = value.encode("utf-8", "surrogateescape").hex()
        return encoded if verb == "x" else encoded.upper()
    return None


def _type_of(value: Any) -> str:
    for kind, name in (
        (bool, "bool"),
        (int, "int"),
        (float, "float64"),
        (str, "string"),
        (list, "[]interface {}"),
        (dict, "map[string]interface {}"),
    ):
        if isinstance(value, kind):
            return name
    return "<nil>"
