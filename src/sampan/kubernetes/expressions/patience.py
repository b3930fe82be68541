"""Expressions in an event loop: short ones run in it, long ones beside it.

Theory: nearly every expression is done in a few hundred steps. One that is not is begun again
in a thread, where it may spend all that it is allowed to without holding the loop; expressions
change nothing, so a run that was broken off has left no traces.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from sampan.kubernetes.expressions.budget import Budget, TookTooLong, hurried
from sampan.kubernetes.expressions.program import Program

QUICK = 2_000

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


async def patiently(
    function: Callable[Arguments, Result], *arguments: Arguments.args, **more: Arguments.kwargs
) -> Result:
    """What a pure function gives that evaluates expressions, wherever it runs."""
    try:
        with hurried(QUICK):
            return function(*arguments, **more)
    except TookTooLong:
        return await asyncio.to_thread(function, *arguments, **more)


async def evaluated(program: Program, bindings: Mapping[str, Any], budget: Budget) -> Any:
    """The value. Raises EvaluationFailed, BudgetExceeded."""
    return await patiently(program.evaluate, bindings, budget)
