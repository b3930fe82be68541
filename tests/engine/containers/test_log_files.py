"""How much of a container's output is kept."""

import asyncio
import gzip
import re
from pathlib import Path

import msgspec
import pytest

from sampan.engine.containers.configuration import (
    Configuration,
    HostConfiguration,
    LogConfiguration,
)
from sampan.engine.containers.contract import LogOptions
from sampan.engine.containers.log_attributes import attributes_of
from sampan.engine.containers.log_files import log_limits
from sampan.engine.containers.log_reading import BegunParts, nanoseconds, read
from sampan.engine.containers.record import ContainerRecord
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.log_rotation import LogLimits


def log(kind: str, **options: str) -> LogConfiguration:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return LogConfiguration(kind=kind, configuration=named)


def test_drivers_and_options_are_limits() -> None:
    default = log_limits(LogConfiguration())
    assert default == LogLimits(size=20 << 20, files=5, compress=False)
    own = log_limits(log("json-file", max_size="10m", max_file="2", compress="true"))
    assert own == LogLimits(size=10_000_000, files=2, compress=True)
    local = log_limits(log("local", max_size="10m"))
    assert local == LogLimits(size=10 << 20, files=5, compress=True)
    assert log_limits(log("json-file", max_size="1.5kb")) == LogLimits(size=1500)
    assert log_limits(log("json-file", mode="non-blocking", max_buffer_size="4m")) == default
    assert log_limits(log("none", anything="x")) is None


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (log("json-file", max_size="much"), "invalid size: 'much'"),
        (log("json-file", max_size="0"), "max-size must be a positive number"),
        (log("json-file", max_file="0"), "max-file cannot be less than 1"),
        (log("json-file", max_file="x"), 'strconv.Atoi: parsing "x": invalid syntax'),
        (log("json-file", compress="x"), 'strconv.ParseBool: parsing "x": invalid syntax'),
        (log("json-file", compress="true", max_file="1"), "compress cannot be true when"),
        (log("local", tag="x"), "unknown log opt 'tag' for log driver local"),
        (log("json-file", x=""), "unknown log opt 'x' for json-file log driver"),
        (log("json-file", mode="x"), "logger: logging mode not supported: x"),
        (log("json-file", max_buffer_size="1m"), "only supported with 'mode=non-blocking'"),
        (log("json-file", tag="{{.Nothing}}"), "template: log-tag"),
        (log("json-file", env_regex="("), "error parsing regexp"),
        (log("syslog"), "logger: no log driver named 'syslog' is registered"),
    ],
)
def test_wrong_drivers_and_options_are_refused_in_dockers_words(
    wrong: LogConfiguration, why: str
) -> None:
    with pytest.raises(InvalidConfiguration, match=re.escape(why)):
        log_limits(wrong)


def test_lines_tell_the_labels_and_variables_that_were_asked_for() -> None:
    options = {
        "labels": "team,none",
        "labels-regex": "^com[.]",
        "env": "ZONE",
        "env-regex": "^A",
        "tag": "{{.Name}}/{{.ID}}/{{ .ImageName }}",
    }
    record = ContainerRecord(
        identifier="0123456789abcdef",
        name="one",
        created=0,
        image="sha256:aa",
        image_digest="",
        platform="linux",
        configuration=Configuration(
            image="hello",
            labels={"team": "blue", "com.example": "x", "other": "y"},
            environment=("ZONE=a=b", "A1=2", "PATH=/bin"),
        ),
        host=HostConfiguration(
            log_configuration=LogConfiguration(kind="json-file", configuration=options)
        ),
    )
    assert attributes_of(record) == {
        "A1": "2",
        "ZONE": "a=b",
        "com.example": "x",
        "tag": "one/0123456789ab/hello",
        "team": "blue",
    }
    plain = msgspec.structs.replace(record, host=HostConfiguration())
    assert attributes_of(plain) == {}


def test_a_follower_is_given_every_part_that_was_begun(tmp_path: Path) -> None:
    log, begun = tmp_path / "log", BegunParts(3)
    files = []
    for text in ("one", "two", "three"):
        log.unlink(missing_ok=True)
        log.write_text(text)
        begun.begun(log)
        files.append(log.open("rb"))
    begun.pass_over(files[0])
    told = []
    while (part := begun.next()) is not None:
        with part:
            told.append(part.read())
    assert told == [b"two", b"three"]
    begun.begun(log)
    begun.close()
    assert begun.next() is None
    for file in files:
        file.close()


def test_parts_are_read_in_order_with_a_tail_over_several(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    lines = [f"2026-01-01T00:00:0{i}.5+00:00 stdout F line {i}\n".encode() for i in range(9)]
    with gzip.open(f"{path}.2.gz", "wb") as packed:
        packed.writelines(lines[:3])
    Path(f"{path}.1").write_bytes(b"".join(lines[3:6]))
    path.write_bytes(b"".join(lines[6:]))

    async def texts(**options: int) -> list[str]:
        ended = asyncio.Event()
        ended.set()
        entries = read(path, LogOptions(**options), ended)
        return [entry.data.decode()[5:].strip() async for entry in entries]

    assert asyncio.run(texts()) == [str(number) for number in range(9)]
    for tail in (0, 1, 3, 4, 6, 8, 9, 20):
        expected = [str(number) for number in range(9)][max(0, 9 - tail) :]
        assert asyncio.run(texts(tail=tail)) == expected
    moment = nanoseconds("2026-01-01T00:00:04.5Z")
    assert asyncio.run(texts(since=moment, until=moment + 10**9)) == ["4", "5"]
