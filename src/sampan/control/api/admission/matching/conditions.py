"""Match conditions: all must hold, or the hook is passed over (KEP-3716)."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec

from sampan.control.api.admission.matching.variables import CONDITION_VARIABLES
from sampan.kubernetes.expressions import program
from sampan.kubernetes.expressions.budget import PER_MATCH_CONDITIONS, Budget
from sampan.kubernetes.expressions.errors import (
    BudgetExceeded,
    EvaluationFailed,
    InvalidExpression,
)
from sampan.kubernetes.expressions.patience import evaluated
from sampan.kubernetes.expressions.program import Program
from sampan.kubernetes.expressions.types import Type


class MatchCondition(msgspec.Struct, frozen=True):
    """A condition as it is written down."""

    name: str
    expression: str


class ConditionsFailed(Exception):
    """No condition said no, and at least one came to an error."""


class Conditions:
    """The conditions of one hook."""

    def __init__(
        self,
        conditions: Sequence[MatchCondition],
        variables: Mapping[str, Type] = CONDITION_VARIABLES,
    ) -> None:
        self._conditions = tuple(conditions)
        self._variables = variables

    def __bool__(self) -> bool:
        return bool(self._conditions)

    @cached_property
    def _programs(self) -> tuple[tuple[str, Program | InvalidExpression], ...]:
        """Compiled when the first write comes, for there may be many hooks."""
        return tuple((it.name, _compiled(it, self._variables)) for it in self._conditions)

    async def hold(self, bindings: Mapping[str, Any], budget: Budget | None = None) -> bool:
        """Raises ConditionsFailed."""
        own = Budget(PER_MATCH_CONDITIONS) if budget is None else budget
        failures: list[str] = []
        for name, compiled in self._programs:
            try:
                value = await _value(compiled, bindings, own)
            except BudgetExceeded as error:
                raise ConditionsFailed(f"match condition {name!r}: {error}") from error
            except (EvaluationFailed, InvalidExpression) as error:
                failures.append(f'expression "{name}" resulted in error: {error}')
                continue
            if value is not True:
                return False
        if failures:
            raise ConditionsFailed(", ".join(failures))
        return True


def _compiled(
    condition: MatchCondition, variables: Mapping[str, Type]
) -> Program | InvalidExpression:
    """What was stored before the language knew a word is an error only where it is used."""
    try:
        return program.compile(condition.expression, variables=variables)
    except InvalidExpression as error:
        return error


async def _value(
    compiled: Program | InvalidExpression, bindings: Mapping[str, Any], budget: Budget
) -> Any:
    if isinstance(compiled, InvalidExpression):
        raise compiled
    return await evaluated(compiled, bindings, budget)
