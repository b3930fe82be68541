"""Patterns of schemas match in RE2's way, and none keeps the server busy."""

import time

import pytest

from sampan.kubernetes.expressions.budget import TookTooLong, hurried
from sampan.kubernetes.schema import formats

MANY_STATES = "(a?b?){1000}c"


def test_long_values_of_plain_patterns_match() -> None:
    matches = formats.pattern("^[A-Za-z0-9+/]*={0,2}$")
    assert matches("a" * 1_500_000)
    assert not matches("a" * 1000 + "?")


def test_many_states_and_a_long_value_are_refused_at_once() -> None:
    started = time.monotonic()
    assert not formats.pattern(MANY_STATES)("a" * 1_500_000)
    assert time.monotonic() - started < 5


def test_in_a_hurry_they_are_left_for_later() -> None:
    matches = formats.pattern(MANY_STATES)
    with hurried(2000), pytest.raises(TookTooLong):
        matches("ab" * 1000)
    assert not matches("ab" * 10)


def test_what_is_no_pattern_is_told() -> None:
    with pytest.raises(formats.InvalidPattern):
        formats.pattern("(")
