"""Names that are allowed, and names that are made up."""

import random

import pytest

from sampan.engine.containers import names
from sampan.engine.contract import InvalidConfiguration


def test_names_are_made_of_an_adjective_and_a_noun_and_taken_by_nobody() -> None:
    source = random.Random(7)
    first = names.made_up((), source)
    assert names.checked(first) == first
    assert first.count("_") == 1
    again = names.made_up({first}, random.Random(7))
    assert again != first


@pytest.mark.parametrize("wrong", ["a", "-a", "a/b", "a b", "a\n", "é1", "x" * 300, "/", "../x"])
def test_other_names_are_refused_in_dockers_words(wrong: str) -> None:
    with pytest.raises(InvalidConfiguration, match="Invalid container name"):
        names.checked(wrong)


def test_a_slash_before_a_name_is_dropped() -> None:
    assert names.checked("/web-1.x_y") == "web-1.x_y"
