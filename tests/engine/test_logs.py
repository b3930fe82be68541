"""Reading container logs, whole, from the end, and while they grow."""

import asyncio
from pathlib import Path

import pytest

from sampan.engine.logs import LogOptions, parse_entry, read_log, seconds_of

LINES = (
    b"2026-01-02T03:04:05.000000001+00:00 stdout F one\n"
    b"2026-01-02T03:04:06.500000000+00:00 stderr P par\n"
    b"2026-01-02T03:04:06.600000000+00:00 stdout F two\n"
    b"2026-01-02T03:04:06.700000000+00:00 stderr F tial\n"
    b"not a log line\n"
    b"2026-01-02T03:04:07.000000000+00:00 stdout F three\n"
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "0.log"
    path.write_bytes(LINES)
    return path


async def collect(path: Path, options: LogOptions) -> list[tuple[str, bytes]]:
    return [piece async for piece in read_log(path, options)]


def test_everything_in_order(log: Path) -> None:
    assert asyncio.run(collect(log, LogOptions())) == [
        ("stdout", b"one\n"),
        ("stderr", b"par"),
        ("stdout", b"two\n"),
        ("stderr", b"tial\n"),
        ("stdout", b"three\n"),
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 5, 100])
def test_the_last_lines(log: Path, count: int) -> None:
    everything = LINES.splitlines()
    expected = [parse_entry(line) for line in everything[len(everything) - min(count, 6) :]]
    found = asyncio.run(collect(log, LogOptions(tail=count)))
    assert len(found) == len([entry for entry in expected if entry])


def test_the_tail_of_a_long_log(tmp_path: Path) -> None:
    path = tmp_path / "long.log"
    line = b"2026-01-02T03:04:05.0+00:00 stdout F %d\n"
    path.write_bytes(b"".join(line % number for number in range(10_000)))
    found = asyncio.run(collect(path, LogOptions(tail=3000)))
    assert found[0] == ("stdout", b"7000\n")
    assert len(found) == 3000


def test_times(log: Path) -> None:
    since = seconds_of("2026-01-02T03:04:06.650000000Z")
    found = asyncio.run(collect(log, LogOptions(since=since, timestamps=True)))
    assert found == [
        ("stderr", b"2026-01-02T03:04:06.700000000Z tial\n"),
        ("stdout", b"2026-01-02T03:04:07.000000000Z three\n"),
    ]


def test_a_limit_of_bytes(log: Path) -> None:
    found = asyncio.run(collect(log, LogOptions(limit_bytes=6)))
    assert b"".join(data for _, data in found) == b"one\npa"


def test_following_sees_what_is_added_and_a_new_file(log: Path) -> None:
    async def scenario() -> list[bytes]:
        ended = asyncio.Event()
        seen: list[bytes] = []
        more = b"2026-01-02T03:04:08.0+00:00 stdout F %s\n"

        async def follow() -> None:
            options = LogOptions(follow=True, tail=1)
            async for _, data in read_log(log, options, ended):
                seen.append(data)
                if data == b"three\n":
                    with log.open("ab") as file:
                        file.write(more % b"four")
                elif data == b"four\n":
                    with log.open("ab") as file:
                        log.rename(log.with_suffix(".1"))
                        file.write(more % b"late")
                    log.write_bytes(more % b"five")
                elif data == b"five\n":
                    ended.set()

        await asyncio.wait_for(follow(), 5)
        return seen

    assert asyncio.run(scenario()) == [b"three\n", b"four\n", b"late\n", b"five\n"]


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(collect(tmp_path / "none", LogOptions()))
