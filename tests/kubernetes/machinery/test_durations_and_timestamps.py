"""Ages as people read them, and times as the API writes them."""

from datetime import UTC, datetime, timedelta

import pytest

from sampan.kubernetes.machinery import durations, timestamps


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-0.5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (330, "5m30s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (11100, "3h5m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (52 * 3600, "2d4h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (750 * 86400, "2y20d"),
        (8 * 365 * 86400, "8y"),
    ],
)
def test_human(seconds: float, text: str) -> None:
    assert durations.human(seconds) == text


def test_since() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert durations.since("2026-01-01T11:59:18Z", now) == "42s"
    assert durations.since(None, now) == "<unknown>"


def test_both_forms() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    assert timestamps.to_seconds(moment) == "2026-01-02T03:04:05Z"
    assert timestamps.to_microseconds(moment) == "2026-01-02T03:04:05.000678Z"
    whole = moment.replace(microsecond=0)
    assert timestamps.to_microseconds(whole) == "2026-01-02T03:04:05.000000Z"
    assert timestamps.parse("2026-01-02T03:04:05.000678Z") == moment
    assert timestamps.parse("2026-01-02T04:04:05+01:00") == moment - timedelta(microseconds=678)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-02",
        "2026-01-02T03:04:05",
        "2026-13-02T03:04:05Z",
        "0001-01-01T00:00:00+23:00",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(timestamps.InvalidTimestamp):
        timestamps.parse(text)
