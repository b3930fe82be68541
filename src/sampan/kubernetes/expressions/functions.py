"""Functions as records: what they take, what they give, what they do and what that costs.

Which overload a call means is decided by the values' types when it runs; the same records
tell the checker what can never work.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from sampan.kubernetes.expressions.budget import Budget
from sampan.kubernetes.expressions.errors import EvaluationFailed
from sampan.kubernetes.expressions.types import ResultType, Type
from sampan.kubernetes.expressions.values import no_such_overload, type_name

Cost = Callable[..., int]
_REMEMBERED = 64


class Overload(msgspec.Struct, frozen=True):
    """One form of a function; of a method the first argument is its target.

    `cost` is worked out from the values before the function runs, `result_cost` from the
    result; a `deep` function reads its arguments through. `estimate` bounds the cost from the
    arguments' greatest sizes, `size` the result's size. `fits` is what static types must
    fulfil beyond those of the arguments.
    """

    arguments: tuple[Type, ...]
    result: ResultType
    run: Callable[..., Any]
    cost: Cost | None = None
    result_cost: Callable[[Any], int] | None = None
    estimate: Cost | None = None
    size: Cost | None = None
    deep: bool = False
    fits: Callable[[tuple[Type, ...]], bool] | None = None


class Function:
    """All forms of one name, either as a function or as a method."""

    def __init__(self, name: str, overloads: Iterable[Overload]) -> None:
        self.name = name
        self.overloads = tuple(overloads)
        self._chosen: dict[tuple[str, ...], Overload] = {}

    def call(self, budget: Budget, *arguments: Any) -> Any:
        """Raises EvaluationFailed, BudgetExceeded."""
        overload = self._choose(arguments)
        if overload.deep:
            for argument in arguments:
                budget.spend_through(argument)
        budget.spend(1 if overload.cost is None else overload.cost(*arguments))
        result = overload.run(*arguments)
        if overload.result_cost is not None:
            budget.spend(overload.result_cost(result))
        return result

    def _choose(self, arguments: tuple[Any, ...]) -> Overload:
        names = tuple(map(type_name, arguments))
        chosen = self._chosen.get(names)
        if chosen is None:
            chosen = next((it for it in self.overloads if _takes(it, names)), None)
            if chosen is None:
                raise no_such_overload(self.name, *arguments)
            if len(self._chosen) < _REMEMBERED:
                self._chosen[names] = chosen
        return chosen


def _takes(overload: Overload, names: tuple[str, ...]) -> bool:
    wanted = overload.arguments
    return len(wanted) == len(names) and all(
        it.name in ("dyn", name) for it, name in zip(wanted, names, strict=True)
    )


class Library:
    """Functions and methods by name; libraries are added up to the language."""

    def __init__(self) -> None:
        self.functions: dict[str, list[Overload]] = {}
        self.methods: dict[str, list[Overload]] = {}

    def function(self, name: str, *overloads: Overload) -> None:
        self.functions.setdefault(name, []).extend(overloads)

    def method(self, name: str, *overloads: Overload) -> None:
        self.methods.setdefault(name, []).extend(overloads)


class Language:
    """Everything that a program may call."""

    def __init__(self, libraries: Iterable[Library]) -> None:
        functions: dict[str, list[Overload]] = {}
        methods: dict[str, list[Overload]] = {}
        for library in libraries:
            for name, overloads in library.functions.items():
                functions.setdefault(name, []).extend(overloads)
            for name, overloads in library.methods.items():
                methods.setdefault(name, []).extend(overloads)
        self.functions = {name: Function(name, it) for name, it in functions.items()}
        self.methods = {name: Function(name, it) for name, it in methods.items()}


def text_of(value: Any) -> str:
    """A value that must be a text, inside a list for instance. Raises EvaluationFailed."""
    if type(value) is not str:
        raise EvaluationFailed("no such overload")
    return value
