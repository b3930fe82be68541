"""The loops: `all`, `exists`, `exists_one`, `map`, `filter`, and those that transform."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.frame import Frame, Run
from sampan.kubernetes.expressions.selection import Convert
from sampan.kubernetes.expressions.values import no_such_overload

# What the steps of one round cost beside its body, as cel-go spells the macros out.
_TEST_COST, _COUNT_COST, _APPEND_COST, _INSERT_COST = 3, 2, 12, 32


class Loop(msgspec.Struct, frozen=True):
    """A loop's parts, compiled; `first` and `second` are the variables' names in the frame."""

    source: Run
    first: str
    second: str
    condition: Run | None
    body: Run
    convert: Convert | None


def _rounds(loop: Loop, frame: Frame, cost: int) -> Iterator[Any]:
    """Sets the variables for each round in turn and yields the first of them."""
    value = loop.source(frame)
    variables, spend = frame.variables, frame.budget.spend
    for one, other in _pairs(loop, value):
        spend(cost)
        variables[loop.first] = one
        if loop.second:
            variables[loop.second] = other
        if loop.condition is None or _true("_?_:_", loop.condition(frame)):
            yield one


def _pairs(loop: Loop, value: Any) -> Iterable[tuple[Any, Any]]:
    convert = loop.convert
    if isinstance(value, list | tuple):
        elements = value if convert is None else map(convert, value)
        return enumerate(elements) if loop.second else ((it, None) for it in elements)
    if type(value) is dict:
        if convert is None:
            return value.items()
        return ((key, convert(it)) for key, it in value.items())
    raise no_such_overload("comprehension", value)


def _true(name: str, value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise no_such_overload(name, value)


def _decided(loop: Loop, *, decisive: bool) -> Run:
    """`all` and `exists`: one decisive round settles it, and absorbs what failed elsewhere."""

    def run(frame: Frame) -> bool:
        failed: EvaluationFailed | None = None
        for _ in _rounds(loop, frame, _TEST_COST):
            try:
                if _true("_&&_", loop.body(frame)) is decisive:
                    return decisive
            except EvaluationFailed as error:
                failed = error
        if failed is not None:
            raise failed
        return not decisive

    return run


def _exactly_one(loop: Loop) -> Run:
    def run(frame: Frame) -> bool:
        rounds = _rounds(loop, frame, _COUNT_COST)
        return sum(_true("_?_:_", loop.body(frame)) for _ in rounds) == 1

    return run


def _filtered(loop: Loop) -> Run:
    def run(frame: Frame) -> list[Any]:
        rounds = _rounds(loop, frame, _APPEND_COST)
        return [it for it in rounds if _true("_?_:_", loop.body(frame))]

    return run


def _mapped(loop: Loop) -> Run:
    def run(frame: Frame) -> list[Any]:
        return [loop.body(frame) for _ in _rounds(loop, frame, _APPEND_COST)]

    return run


def _map_of(loop: Loop) -> Run:
    def run(frame: Frame) -> dict[Any, Any]:
        return {key: loop.body(frame) for key in _rounds(loop, frame, _INSERT_COST)}

    return run


def _map_of_entries(loop: Loop) -> Run:
    def run(frame: Frame) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for _ in _rounds(loop, frame, _INSERT_COST):
            entries = loop.body(frame)
            if type(entries) is not dict:
                raise no_such_overload("cel.@mapInsert", entries)
            for key, value in entries.items():
                if key in made:
                    raise EvaluationFailed(f"insert failed: key {key} already exists")
                made[key] = value
        return made

    return run


MADE: dict[str, Callable[[Loop], Run]] = {
    "all": lambda loop: _decided(loop, decisive=False),
    "exists": lambda loop: _decided(loop, decisive=True),
    "exists_one": _exactly_one,
    "filter": _filtered,
    "map": _mapped,
    "transformList": _mapped,
    "transformMap": _map_of,
    "transformMapEntry": _map_of_entries,
}
"""What makes the function of a loop, by the macro's name."""
