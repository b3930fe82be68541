"""Expressions in an event loop: short ones run in it, long ones beside it.

Theory: nearly every expression is done in a few hundred steps. One that is not is begun again
in a thread, where it may spend all that it is allowed to without holding the loop; expressions
change nothing, so a run that was broken off has left no traces.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from sampan.kubernetes.expressions.budget import Budget
from sampan.kubernetes.expressions.errors import BudgetExceeded
from sampan.kubernetes.expressions.program import Program

QUICK = 2_000


async def evaluated(program: Program, bindings: Mapping[str, Any], budget: Budget) -> Any:
    """The value. Raises EvaluationFailed, BudgetExceeded."""
    before = budget.remaining
    try:
        return program.evaluate(bindings, budget, QUICK)
    except BudgetExceeded:
        if before <= QUICK:
            raise
    budget.remaining = before
    return await asyncio.to_thread(program.evaluate, bindings, budget)
