"""`find` and `findAll` (k8s.io/apiserver `pkg/cel/library/regex.go`)."""

from itertools import islice

from sampan.kubernetes.expressions import regular_expressions
from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.functions import Library, Overload
from sampan.kubernetes.expressions.types import INT, STRING, list_of

LIBRARY = Library()
_TEXTS = list_of(STRING)


def _find(text: str, pattern: str) -> str:
    return next(iter(_find_all(text, pattern, 1)), "")


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    try:
        found = regular_expressions.found(pattern, text)
        return list(found if limit < 0 else islice(found, limit))
    except regular_expressions.InvalidPattern as error:
        raise EvaluationFailed(str(error)) from error


def _estimate(text: int, pattern: int, _limit: int = 0) -> int:
    return -(-(text + 1) // 10) * -(-pattern // 4)


def _cost(text: str, pattern: str, limit: int = -1) -> int:
    """There may be a match at every letter, and each is taken out by itself."""
    most = len(text) if limit < 0 else min(limit, len(text))
    return regular_expressions.effort(text, pattern) + most


def _first_cost(text: str, pattern: str) -> int:
    return _cost(text, pattern, 1)


LIBRARY.method(
    "find",
    Overload(
        (STRING, STRING),
        STRING,
        _find,
        cost=_first_cost,
        estimate=_estimate,
        size=lambda text, _p: text,
    ),
)
LIBRARY.method(
    "findAll",
    *(
        Overload(
            (STRING, STRING, *more),
            _TEXTS,
            _find_all,
            cost=_cost,
            estimate=_estimate,
            size=lambda text, *_rest: text,
        )
        for more in ((), (INT,))
    ),
)
