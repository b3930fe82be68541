"""Expressions that are meant to run for ever, to grow without end or to exhaust the stack."""

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sampan.kubernetes.expressions.budget import PER_CALL, Budget
from sampan.kubernetes.expressions.errors import (
    BudgetExceeded,
    EvaluationFailed,
    InvalidExpression,
)
from sampan.kubernetes.expressions.program import compile

# No evaluation within the limit of one call may take longer than a slow machine needs for it.
PATIENCE = 20.0


def refused(text: str, **bindings: Any) -> None:
    program = compile(text, variables=bindings.keys())
    started = time.monotonic()
    with pytest.raises((BudgetExceeded, EvaluationFailed)):
        program.evaluate(bindings, Budget())
    assert time.monotonic() - started < PATIENCE


def doubled(start: str, step: str, times: int) -> str:
    """`cel.bind(x1, step(x0), cel.bind(x2, step(x1), …))`."""
    names = [f"x{at}" for at in range(times + 1)]
    text = names[-1]
    for before, after in zip(reversed(names[:-1]), reversed(names[1:]), strict=True):
        text = f"cel.bind({after}, {step.replace('X', before)}, {text})"
    return f"cel.bind(x0, {start}, {text})"


def test_loops_in_loops_end_at_the_budget() -> None:
    refused("l.all(a, l.all(b, l.all(c, l.all(d, a + b + c + d > 0))))", l=list(range(1, 100)))


def test_a_list_that_doubles_ends_at_the_budget() -> None:
    refused(doubled("[1, 1]", "X + X", 40) + " == [1]")


def test_a_text_that_doubles_ends_at_the_budget() -> None:
    refused(doubled("'aaaaaaaa'", "X + X", 40) + " == 'b'")


def test_shared_structure_is_paid_in_full() -> None:
    text = doubled("[1, 1]", "[X, X]", 40)
    refused(f"cel.bind(a, {text}, a == a)")
    refused(f"cel.bind(a, {text}, '%s'.format([a]) == '')")
    refused(f"cel.bind(a, {text}, sets.contains([a], [a]))")


def test_sets_of_shared_lists_are_paid_in_full() -> None:
    inner = list(range(700))
    refused("sets.contains(l, l + l)", l=[inner] * 350)


def test_replacing_may_not_blow_up() -> None:
    refused("s.replace('', s).replace('', s)", s="a" * 3000)


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|a)*b", "(a|aa)+$", "(.*)*x", "^(([a-z])+.)+[A-Z]$"]
)
def test_patterns_take_linear_time(pattern: str) -> None:
    program = compile("t.matches(p)", variables=("t", "p"))
    started = time.monotonic()
    program.evaluate({"t": "a" * 100_000, "p": pattern}, Budget())
    assert time.monotonic() - started < PATIENCE


def test_huge_patterns_are_refused() -> None:
    refused("'a'.matches(p)", p="(a{1000}){1000}")
    refused("'a'.matches(p)", p="((((a{100}){100}){100}){100})")
    refused("'a'.matches(p)", p="a" * 20_000)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "1" + ")" * 5000,
        "[" * 5000 + "]" * 5000,
        "{1:" * 5000 + "1" + "}" * 5000,
        "-(" * 5000 + "1" + ")" * 5000,
        "x" + ".a" * 5000,
        "x" + "[0]" * 5000,
        "1" + " + 1" * 5000,
        "x.f(" * 2000 + ")" * 2000,
        "true ? " * 3000 + "1" + " : 1" * 3000,
        "'" + "a" * 200_000 + "'",
        "1" * 90_000,
    ],
)
def test_depth_is_refused_before_it_is_walked(text: str) -> None:
    with pytest.raises(InvalidExpression):
        compile(text, variables=("x",))


def test_long_chains_of_logic_are_fine() -> None:
    text = " && ".join(["x > 0"] * 2000)
    assert compile(text, variables=("x",)).evaluate({"x": 1}, Budget()) is True


def test_deep_values_are_an_error_and_no_crash() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    refused("a == a && a[0] == a[0]", a=deep)


def test_one_budget_serves_many_programs() -> None:
    budget = Budget(100)
    program = compile("l.map(x, x + 1).size() == 5", variables=("l",))
    assert program.evaluate({"l": [1, 2, 3, 4, 5]}, budget) is True
    with pytest.raises(BudgetExceeded):
        program.evaluate({"l": [1, 2, 3, 4, 5]}, budget)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab1 .?:+-*/%!<>=&|()[]{},'\"\\u`x\n", max_size=60))
def test_any_text_is_compiled_or_refused(text: str) -> None:
    try:
        program = compile(text, variables=("a", "b"))
    except InvalidExpression:
        return
    try:
        program.evaluate({"a": {"b": [1]}, "b": 1}, Budget(PER_CALL // 100))
    except (EvaluationFailed, BudgetExceeded):
        return


LONG_TEXT = "a" * (1 << 20)


@pytest.mark.parametrize(
    "body",
    [
        "t.findAll('').size()",
        "int(t) == 1",
        "url('https://a/' + t).getEscapedPath() == ''",
        "t.split('').join('') == ''",
        "cidr('10.0.0.0/8').containsCIDR(t)",
        "t.matches('(a?b?){1000}c')",
        "t.matches('')",
        "[" + ", ".join(["1"] * 5000) + "].size() == 0",
        "(" + " && ".join(["true"] * 5000) + ")",
        "('a' in {'a': t}) && t.trim().upperAscii().reverse() == ''",
        "t.replace('a', 'bb').size() == 0",
        "format.named('uri').value().validate(t).hasValue()",
        "'%s'.format([t]) == ''",
    ],
)
def test_nothing_is_cheap_that_takes_long(body: str) -> None:
    """Each is repeated for as long as the budget lasts; none may take much longer than others."""
    text = f"l.map(x, [dyn({body})]).size() == 0"
    program = compile(text, variables=("l", "t"))
    started = time.monotonic()
    with contextlib.suppress(BudgetExceeded, EvaluationFailed):
        program.evaluate({"l": [1] * 80_000, "t": LONG_TEXT}, Budget())
    assert time.monotonic() - started < PATIENCE


def test_maps_with_ambiguous_keys_are_no_hiding_place() -> None:
    text = (
        "cel.bind(m, l.transformMapEntry(i, v, {20000 - i: v}), "
        "l.all(a, l.all(b, m[1] == a || m[1] != a)))"
    )
    refused(text, l=list(range(20_000)))
