"""Docker's json-file logs out of what a monitor writes, wherever the translation is cut off."""

import asyncio
import gzip
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.engine.containers import json_log, log_spool, log_translation
from sampan.engine.containers.log_translation import LogPlace
from sampan.engine.log_rotation import LogLimits, older_parts
from sampan.engine.logs import LogEntry, LogStream

TIME = "2026-01-01T00:00:00.5"
ALL = LogLimits(size=1 << 30)


class CutOff(BaseException):
    """The engine's process is no more."""


class Container:
    """What its monitor writes, and the log that is made of it."""

    def __init__(self, folder: Path, limits: LogLimits = ALL) -> None:
        self.place = LogPlace(folder / "output.log", folder / "id-json.log", limits)
        self.said: list[str] = []
        self._file = self.place.spool

    def say(self, *texts: str) -> None:
        with self._file.open("ab") as file:
            for text in texts:
                for piece, tag in ((text[:5], "P"), (text[5:], "F")):
                    file.write(f"{TIME}00+00:00 stdout {tag} {piece}\n".encode())
                self.said.append(text)

    def set_aside(self) -> bool:
        """Whether the monitor is to begin another file; until it does, it writes to the former."""
        aside = log_spool.set_aside(self.place.spool)
        if aside:
            self._file = log_spool.LogSpool(self.place.spool).aside
        return aside

    def reopen(self) -> None:
        self._file = self.place.spool
        self._file.touch()

    def catch_up(self) -> None:
        asyncio.run(log_translation.catch_up(self.place))

    def finish(self) -> None:
        asyncio.run(log_translation.finish(self.place))
        self._file = self.place.spool

    def told(self) -> list[str]:
        """What all parts of the log say, the oldest first."""
        lines: list[str] = []
        for part in [*older_parts(self.place.log), self.place.log]:
            packed = part.read_bytes()
            data = gzip.decompress(packed) if part.suffix == ".gz" else packed
            lines += [json.loads(line)["log"].rstrip("\n") for line in data.splitlines()]
        return lines


def test_a_line_is_dockers() -> None:
    writer = json_log.Writer({"tag": "t"}, {})
    line = writer.lines(LogEntry("2026-01-01T00:00:00.120000000Z", "stderr", False, b'say "hi"'))
    assert line == (
        b'{"log":"say \\"hi\\"\\n","stream":"stderr","attrs":{"tag":"t"},'
        b'"time":"2026-01-01T00:00:00.12Z"}\n'
    )
    entry = json_log.parse(line[:-1])
    assert entry == LogEntry("2026-01-01T00:00:00.12Z", "stderr", False, b'say "hi"', {"tag": "t"})
    assert json_log.parse(b"not one") is None


def pieces(made: bytes) -> list[str]:
    return [json.loads(line)["log"] for line in made.splitlines()]


@given(
    st.lists(st.tuples(st.text(max_size=40), st.booleans(), st.booleans())),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)
def test_lines_that_were_cut_are_whole_again(
    said: list[tuple[str, bool, bool]], attributes: dict[str, str]
) -> None:
    writer, made = json_log.Writer(attributes, {}), b""
    meant: dict[str, str] = {"stdout": "", "stderr": ""}
    for words, partial, is_error in said:
        text = words.replace("\n", "")
        stream: LogStream = "stderr" if is_error else "stdout"
        made += writer.lines(LogEntry(f"{TIME}Z", stream, partial, text.encode()))
        meant[stream] += text + ("" if partial else "\n")
        # Another process goes on.
        writer = json_log.Writer(attributes, writer.held)
    whole = made.count(b"\n")
    made += writer.last_lines(f"{TIME}Z")
    read = [json_log.parse(line) for line in made.split(b"\n")[:-1]]
    told = {"stdout": "", "stderr": ""}
    for number, entry in enumerate(read):
        assert entry is not None
        assert (entry.partial, entry.attributes) == (number >= whole, attributes)
        told[entry.stream] += entry.content.decode() + ("" if entry.partial else "\n")
    assert told == meant


def test_long_lines_are_pieces_that_cut_no_character_and_what_is_none_is_replaced() -> None:
    writer = json_log.Writer({}, {})
    text = "x" + "é" * 20_000
    made = b""
    for start in range(0, 40_001, 5000):
        content = text.encode()[start : start + 5000]
        made += writer.lines(LogEntry(f"{TIME}Z", "stdout", start < 40_000, content))
    assert "".join(pieces(made)) == text + "\n"
    assert [len(piece.encode()) for piece in pieces(made)] == [16_383, 16_384, 7235]
    broken = writer.lines(LogEntry(f"{TIME}Z", "stdout", False, b"\xff"))
    assert pieces(broken) == ["\ufffd\n"]


def test_what_was_said_is_told_once_and_makes_room(tmp_path: Path) -> None:
    container = Container(tmp_path)
    container.say("one", "two")
    container.catch_up()
    container.say("three")
    container.catch_up()
    container.finish()
    assert not container.place.spool.exists()
    # Another run of the container.
    log_translation.begin(container.place, {"tag": "second"})
    container.say("four")
    container.catch_up()
    assert container.told() == container.said == ["one", "two", "three", "four"]
    tags = [json.loads(line).get("attrs") for line in container.place.log.read_text().splitlines()]
    assert tags == [None, None, None, {"tag": "second"}]


def test_what_ends_without_an_end_of_line_is_told_at_the_end(tmp_path: Path) -> None:
    container = Container(tmp_path)
    container.place.spool.write_text(f"{TIME}Z stdout F one\n{TIME}Z stdout P two\n")
    container.catch_up()
    assert container.told() == ["one"]
    container.finish()
    container.finish()
    assert container.told() == ["one", "two"]


def test_a_spool_that_is_set_aside_is_read_to_its_end(tmp_path: Path) -> None:
    container = Container(tmp_path)
    container.say("one")
    container.catch_up()
    assert container.set_aside()
    # The monitor hasn't been told yet.
    assert container.set_aside()
    container.say("two")
    container.catch_up()
    container.say("three")
    container.reopen()
    container.say("four")
    assert not container.set_aside()
    container.catch_up()
    assert not log_spool.LogSpool(container.place.spool).aside.exists()
    assert container.told() == container.said


def test_what_was_set_aside_can_be_passed_over(tmp_path: Path) -> None:
    container = Container(tmp_path)
    container.say("one")
    container.catch_up()
    assert container.set_aside()
    container.say("left out")
    container.reopen()
    container.say("two")
    log_translation.pass_over(container.place)
    container.catch_up()
    container.say("three")
    container.finish()
    assert container.told() == ["one", "two", "three"]


def test_parts_are_begun_where_the_limit_says(tmp_path: Path) -> None:
    container = Container(tmp_path, LogLimits(size=300, files=3, compress=True))
    container.say(*(f"line {number}" for number in range(40)))
    container.catch_up()
    parts = [part.name for part in older_parts(container.place.log)]
    assert parts == ["id-json.log.2.gz", "id-json.log.1.gz"]
    assert container.place.log.stat().st_size < 400
    told = container.told()
    assert told == container.said[-len(told) :]
    assert len(told) >= 8


class Cuts:
    """Ends the process at a chosen change of a file, or in the midst of it."""

    def __init__(self, dice: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        self._dice = dice
        write = os.write
        for place, name in (
            (os, "write"),
            *((Path, name) for name in ("rename", "unlink", "write_bytes")),
        ):
            monkeypatch.setattr(place, name, self._cut(getattr(place, name), write))

    def _cut(self, change: Callable[..., Any], write: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*words: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                if change is write:
                    # A write may be cut in its middle, too.
                    change(words[0], words[1][: self._dice.randrange(len(words[1]))])
                elif self._dice.random() < 0.5:
                    change(*words, **options)
                raise CutOff
            return change(*words, **options)

        return changed


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_lost_or_told_twice_wherever_it_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    files = dice.choice((2000, 2000, 1))
    limit = LogLimits(size=700 if files > 1 else 1 << 30, files=files)
    container = Container(tmp_path, limit)
    cuts = Cuts(dice, monkeypatch)
    for _ in range(30):
        container.say(*(f"{len(container.said)} {'x' * dice.randrange(90)}" for _ in range(12)))
        cuts.left = dice.randrange(1, 14)
        ends = dice.random() < 0.3
        try:
            container.finish() if ends else container.catch_up()
            if not ends and container.set_aside() and dice.random() < 0.7:
                container.say("on its way to another file")
                container.reopen()
        except CutOff:
            cuts.left = 0
            if ends:
                # The next process looks before the container runs again.
                container.finish()
            elif not container.place.spool.exists() and container.set_aside():
                container.reopen()
    cuts.left = 0
    container.catch_up()
    assert container.told() == container.said
