"""Expressions in an event loop: short ones run in it, long ones beside it.

Theory: nearly every expression is done in a few hundred steps. One that is not is begun again
in a thread, where it may spend all that it is allowed to without holding the loop; expressions
change nothing, so a run that was broken off has left no traces.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, ParamSpec, TypeVar

from sampan.kubernetes.expressions.budget import Budget, TookTooLong, hurried
from sampan.kubernetes.expressions.program import Program

QUICK = 2_000
THREADS = 2

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
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_threads(), partial(function, *arguments, **more))


@cache
def _threads() -> ThreadPoolExecutor:
    """Threads of their own: whoever sends long expressions keeps only others of them waiting."""
    return ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="expressions")


def end_threads() -> None:
    """Let the threads go, once they have done what they are at; new ones come when needed."""
    if _threads.cache_info().currsize:
        _threads().shutdown()
        _threads.cache_clear()


async def evaluated(program: Program, bindings: Mapping[str, Any], budget: Budget) -> Any:
    """The value. Raises EvaluationFailed, BudgetExceeded."""
    return await patiently(program.evaluate, bindings, budget)
