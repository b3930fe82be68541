"""Long evaluations leave the event loop alone, and pay once."""

import asyncio
import threading

import pytest

from sampan.kubernetes.expressions.budget import Budget, TookTooLong, hurried
from sampan.kubernetes.expressions.errors import BudgetExceeded
from sampan.kubernetes.expressions.library.authorizers import AUTHORIZER, Authorizer, Question
from sampan.kubernetes.expressions.patience import QUICK, evaluated, patiently
from sampan.kubernetes.expressions.program import compile

SHORT = compile("l.size() == 300", variables=("l",))
LONG = compile("l.all(a, l.all(b, a + b >= 0))", variables=("l",))
NUMBERS = {"l": list(range(300))}


def test_short_ones_run_in_the_loop_and_long_ones_beside_it() -> None:
    threads: list[bool] = []

    def decide(_question: Question) -> tuple[bool, str]:
        threads.append(threading.current_thread() is threading.main_thread())
        return True, ""

    check = "authorizer.path('/x').check('get').allowed()"
    program = compile(check, variables={"authorizer": AUTHORIZER})

    async def run() -> None:
        assert await evaluated(SHORT, NUMBERS, Budget()) is True
        # A check costs more than what is spent in the loop.
        assert await evaluated(program, {"authorizer": Authorizer(decide)}, Budget()) is True

    asyncio.run(run())
    assert threads == [False]


def test_the_price_is_that_of_one_run() -> None:
    direct, patient = Budget(), Budget()
    assert LONG.evaluate(NUMBERS, direct) is True
    assert direct.spent > QUICK
    assert asyncio.run(evaluated(LONG, NUMBERS, patient)) is True
    assert patient.remaining == direct.remaining


def test_what_exceeds_the_budget_does_so_in_the_thread() -> None:
    small = Budget(QUICK * 2)
    with pytest.raises(BudgetExceeded):
        asyncio.run(evaluated(LONG, NUMBERS, small))
    assert small.remaining == 0


def test_a_hurry_ends_evaluations_without_a_price() -> None:
    budget = Budget()
    with hurried(100), pytest.raises(TookTooLong):
        LONG.evaluate(NUMBERS, budget)
    assert budget.spent == 0


def test_long_expressions_are_compiled_beside_the_loop_and_short_ones_in_it() -> None:
    short, long = "object == 1", "object == 1" + " || object == 2" * 60

    def where(text: str) -> tuple[str, int]:
        compile(text, variables=("object",))
        return text, threading.get_ident()

    async def look() -> None:
        here = threading.get_ident()
        assert (await patiently(where, short))[1] == here
        assert (await patiently(where, long))[1] != here

    asyncio.run(look())
