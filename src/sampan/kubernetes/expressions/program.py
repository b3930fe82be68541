"""Compiled expressions: `compile` a text once, `evaluate` it as often as wanted."""

import sys
from collections.abc import Collection, Mapping
from typing import Any

from sampan.kubernetes.expressions.budget import PER_CALL, Budget, take_time
from sampan.kubernetes.expressions.errors import BudgetExceeded, EvaluationFailed
from sampan.kubernetes.expressions.frame import Frame, Run
from sampan.kubernetes.expressions.types import DYN, Type

_COMPILING = "sampan.kubernetes.expressions.compiling"
# Both as long as it takes to evaluate so many steps.
_STEPS_TO_IMPORT = 50_000
_STEPS_A_CHARACTER = 4
_NO_STRUCTURES: Mapping[str, Type] = {}


class Program:
    """One compiled expression. `type` is what it gives, as far as that is known before;
    `estimated_cost` bounds the work of one run from the sizes that the types tell."""

    def __init__(self, text: str, kind: Type, run: Run, estimated_cost: int) -> None:
        self.text = text
        self.type = kind
        self.estimated_cost = estimated_cost
        self._run = run

    def evaluate(self, bindings: Mapping[str, Any], budget: Budget, most: int = PER_CALL) -> Any:
        """The value; no run spends more than `most` of the budget.

        Raises EvaluationFailed, BudgetExceeded, and TookTooLong in a hurry.
        """
        own = Budget(min(most, budget.remaining))
        try:
            value = self._run(Frame(dict(bindings), own))
        except RecursionError as error:
            budget.remaining -= own.spent
            raise EvaluationFailed("the value is nested too deeply") from error
        except (EvaluationFailed, BudgetExceeded):
            budget.remaining -= own.spent
            raise
        budget.remaining -= own.spent
        return value


def compile(
    text: str,
    *,
    variables: Collection[str] | Mapping[str, Type],
    structures: Mapping[str, Type] = _NO_STRUCTURES,
) -> Program:
    """A program in which these variables may be used, with the types where they are given.

    `structures` are the types of which `Name{field: value}` makes an object; a name that ends
    in `.*` stands for all names that begin so. Raises InvalidExpression, and TookTooLong in a
    hurry.
    """
    if _COMPILING not in sys.modules:
        take_time(_STEPS_TO_IMPORT)
    take_time(len(text) * _STEPS_A_CHARACTER)
    from sampan.kubernetes.expressions.compiling import compiled

    scope = dict(variables) if isinstance(variables, Mapping) else dict.fromkeys(variables, DYN)
    return Program(text, *compiled(text, scope, structures))
