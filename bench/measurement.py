"""What a benchmark hands back, and how durations and rates are told."""

from collections.abc import Sequence

import msgspec


class Measurement(msgspec.Struct, frozen=True):
    """One row of the table. `reference` is what was measured beside us in the same run."""

    work: str
    figure: str
    target: str
    reference: str = ""


class NotMeasured(Exception):
    """A benchmark can't run here; the message says what is missing."""


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def milliseconds(seconds: float) -> str:
    if seconds >= 10:
        return f"{seconds:,.1f} s"
    return f"{seconds * 1000:,.1f} ms" if seconds < 0.1 else f"{seconds * 1000:,.0f} ms"


def spread(seconds: Sequence[float]) -> str:
    """Median and 99th percentile of durations."""
    return f"{milliseconds(quantile(seconds, 0.5))} (p99 {milliseconds(quantile(seconds, 0.99))})"


def rate(count: float, seconds: float) -> str:
    return f"{count / seconds:,.0f}/s"
