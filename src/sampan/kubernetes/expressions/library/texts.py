"""Strings: CEL's own methods and cel-go's extension (version 2, and `reverse`)."""

from typing import Any

from sampan.kubernetes.expressions import regular_expressions
from sampan.kubernetes.expressions.budget import traversal
from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.functions import Library, Overload, text_of
from sampan.kubernetes.expressions.library.text_format import formatted
from sampan.kubernetes.expressions.types import BOOL, INT, LIST, STRING, Type, list_of

LIBRARY = Library()
_TEXTS = list_of(STRING)
_LOWER = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}
_UPPER = {letter: letter - 32 for letter in range(ord("a"), ord("z") + 1)}
# What Unicode calls white space, as Go's strings.TrimSpace sees it.
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_QUOTES = {
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


def _once(text: Any, *_rest: Any) -> int:
    return max(1, traversal(text))


def _twice(text: Any, *_rest: Any) -> int:
    return max(1, 2 * traversal(text))


def _estimated_once(size: int, *_rest: int) -> int:
    return -(-size // 10)


def _estimated_twice(size: int, *_rest: int) -> int:
    return -(-2 * size // 10)


def _its_size(size: int, *_rest: int) -> int:
    return size


def _matches(text: str, pattern: str) -> bool:
    try:
        return regular_expressions.matches(pattern, text)
    except regular_expressions.InvalidPattern as error:
        raise EvaluationFailed(str(error)) from error


def _character(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise EvaluationFailed(f"index out of range: {at}")
    return text[at : at + 1]


def _position(text: str, wanted: str, start: int = 0) -> int:
    if not 0 <= start <= len(text):
        raise EvaluationFailed(f"index out of range: {start}")
    return text.find(wanted, start)


def _last_position(text: str, wanted: str, start: int | None = None) -> int:
    if start is None:
        return text.rfind(wanted)
    if not 0 <= start <= len(text):
        raise EvaluationFailed(f"index out of range: {start}")
    return text.rfind(wanted, 0, start + len(wanted))


def _part(text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    if not 0 <= start <= len(text) or not 0 <= last <= len(text):
        raise EvaluationFailed(f"index out of range: {last if 0 <= start <= len(text) else start}")
    if start > last:
        raise EvaluationFailed(f"invalid substring range. start: {start}, end: {last}")
    return text[start:last]


def _replaced(text: str, old: str, new: str, count: int = -1) -> str:
    return text.replace(old, new, count)


def _replaced_length(text: str, old: str, new: str, count: int = -1) -> int:
    """What it costs: the result may be much longer than the text."""
    found = text.count(old)
    times = found if count < 0 else min(found, count)
    return max(1, 2 * traversal(text) + times * len(new) // 10)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if separator:
        return text.split(separator, limit - 1) if limit > 0 else text.split(separator)
    if limit < 0 or limit > len(text):
        return list(text)
    return [*text[: limit - 1], text[limit - 1 :]]


def _joined(parts: Any, separator: str = "") -> str:
    return separator.join([text_of(it) for it in parts])


def _joined_cost(parts: Any, separator: str = "") -> int:
    letters = sum(len(it) for it in parts if type(it) is str) + len(parts) * len(separator)
    return 1 + len(parts) + letters // 5


def _quoted(text: str) -> str:
    return '"' + "".join(_QUOTES.get(it, it) for it in text) + '"'


def _search(name: str, run: Any) -> None:
    LIBRARY.method(
        name,
        Overload(
            (STRING, STRING),
            BOOL,
            run,
            cost=lambda text, _part: max(1, traversal(text)),
            estimate=_estimated_once,
        ),
    )


_search("contains", lambda text, part: part in text)
_search("startsWith", str.startswith)
_search("endsWith", str.endswith)
_MATCHES = Overload(
    (STRING, STRING),
    BOOL,
    _matches,
    cost=regular_expressions.effort,
    estimate=lambda text, pattern: -(-(text + 1) // 10) * -(-pattern // 4),
)
LIBRARY.function("matches", _MATCHES)
LIBRARY.method("matches", _MATCHES)


def _overload(
    arguments: tuple[Type, ...], result: Type, run: Any, *, twice: bool = False, **more: Any
) -> Overload:
    return Overload(
        arguments,
        result,
        run,
        cost=more.pop("cost", _twice if twice else _once),
        estimate=_estimated_twice if twice else _estimated_once,
        size=more.pop("size", _its_size),
    )


LIBRARY.method("charAt", _overload((STRING, INT), STRING, _character, size=lambda *_: 1))
for _name, _run in (("indexOf", _position), ("lastIndexOf", _last_position)):
    LIBRARY.method(
        _name,
        _overload((STRING, STRING), INT, _run),
        _overload((STRING, STRING, INT), INT, _run),
    )
LIBRARY.method(
    "substring",
    _overload((STRING, INT), STRING, _part),
    _overload((STRING, INT, INT), STRING, _part),
)
LIBRARY.method("lowerAscii", _overload((STRING,), STRING, lambda text: text.translate(_LOWER)))
LIBRARY.method("upperAscii", _overload((STRING,), STRING, lambda text: text.translate(_UPPER)))
LIBRARY.method("trim", _overload((STRING,), STRING, lambda text: text.strip(_SPACE)))
LIBRARY.method("reverse", _overload((STRING,), STRING, lambda text: text[::-1]))
LIBRARY.method(
    "replace",
    *(
        _overload(
            (STRING, STRING, STRING, *more),
            STRING,
            _replaced,
            twice=True,
            cost=_replaced_length,
            size=lambda text, _old, new, *_: text + (text + 1) * new,
        )
        for more in ((), (INT,))
    ),
)
LIBRARY.method(
    "split",
    *(_overload((STRING, STRING, *more), _TEXTS, _split, twice=True) for more in ((), (INT,))),
)
LIBRARY.method(
    "join",
    *(
        Overload(
            (LIST, *more),
            STRING,
            _joined,
            cost=_joined_cost,
            estimate=lambda size, *_rest: size,
            size=lambda size, *_rest: size,
        )
        for more in ((), (STRING,))
    ),
)
LIBRARY.method(
    "format", Overload((STRING, LIST), STRING, formatted, deep=True, result_cost=traversal)
)
LIBRARY.function("strings.quote", _overload((STRING,), STRING, _quoted))
