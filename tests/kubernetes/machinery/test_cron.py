"""Schedules: what they name, and how those that are wrong are refused."""

import pytest

from sampan.kubernetes.machinery import cron


def test_fields() -> None:
    schedule = cron.parse("*/15 0-6/3,22 1,15 jan-mar,DEC sun")
    assert schedule.minutes == {0, 15, 30, 45}
    assert schedule.hours == {0, 3, 6, 22}
    assert schedule.days == {1, 15}
    assert schedule.months == {1, 2, 3, 12}
    assert schedule.weekdays == {0}
    assert (schedule.any_day, schedule.any_weekday) == (False, False)


def test_a_star_leaves_the_other_day_to_decide() -> None:
    schedule = cron.parse("0 12 * * 1-5")
    assert (schedule.any_day, schedule.any_weekday) == (True, False)
    assert cron.parse("0 12 ? * */2").any_weekday


def test_a_number_with_a_step_goes_on_to_the_end() -> None:
    assert cron.parse("50/4 * * * *").minutes == {50, 54, 58}


def test_names() -> None:
    assert cron.parse("@hourly") == cron.parse("0 * * * *")
    assert cron.parse("@weekly") == cron.parse("0 0 * * 0")
    assert cron.parse("@every 1h30m").every == "1h30m"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("* * * * 7", "end of range (7) above maximum (6): 7"),
        ("9-5 * * * *", "beginning of range (9) beyond end of range (5): 9-5"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'),
        ("@sometimes", "unrecognized descriptor: @sometimes"),
        ("@every day", "failed to parse duration @every day"),
        ("* " * 2000, "the schedule is too long"),
    ],
)
def test_wrong_schedules(text: str, message: str) -> None:
    with pytest.raises(cron.InvalidSchedule) as refusal:
        cron.parse(text)
    assert str(refusal.value) == message
