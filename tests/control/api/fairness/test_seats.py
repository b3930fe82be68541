"""Seats are divided by shares, and lent while nobody uses them."""

from typing import Any

import msgspec

from sampan.control.api.fairness.configuration import PriorityLevel
from sampan.control.api.fairness.seats import Hall


def limited(name: str, shares: int, **particular: Any) -> PriorityLevel:
    limits = {"nominalConcurrencyShares": shares, **particular}
    spec = {"type": "Limited", "limited": limits}
    return msgspec.convert({"metadata": {"name": name}, "spec": spec}, PriorityLevel)


def hall(*levels: PriorityLevel, total: int = 100) -> Hall:
    made = Hall(total)
    made.arrange({level.metadata.name: level for level in levels})
    return made


def test_shares() -> None:
    made = hall(limited("a", 30), limited("b", 10), limited("c", 10), total=101)
    assert [made.of(name).nominal for name in "abc"] == [61, 21, 21]


def test_what_others_lend_and_do_not_use_can_be_borrowed() -> None:
    made = hall(limited("a", 50), limited("b", 50, lendablePercent=40))
    busy = made.of("a")
    busy.in_use = 50
    assert made.has_room(busy, 20)
    assert not made.has_room(busy, 21)
    made.of("b").in_use = 40
    assert made.has_room(busy, 10)
    assert not made.has_room(busy, 11)


def test_own_seats_are_never_refused_for_what_was_lent() -> None:
    made = hall(limited("a", 50), limited("b", 50, lendablePercent=100))
    made.of("a").in_use = 100
    assert made.has_room(made.of("b"), 50)


def test_borrowing_has_a_limit() -> None:
    made = hall(limited("a", 50, borrowingLimitPercent=10), limited("b", 50, lendablePercent=100))
    made.of("a").in_use = 50
    assert made.has_room(made.of("a"), 5)
    assert not made.has_room(made.of("a"), 6)


def test_a_request_wider_than_its_level_is_served_alone() -> None:
    made = hall(limited("a", 1), limited("b", 99))
    assert made.has_room(made.of("a"), 10)
    made.of("a").in_use = 1
    assert not made.has_room(made.of("a"), 10)


def test_who_sits_keeps_the_seat_when_shares_change() -> None:
    made = hall(limited("a", 50), limited("b", 50))
    made.of("a").in_use = 30
    made.arrange({"a": limited("a", 10), "b": limited("b", 90)})
    assert made.of("a").in_use == 30
    assert not made.has_room(made.of("a"), 1)
