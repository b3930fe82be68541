"""How much of a container's output is kept."""

import asyncio
import gzip
from pathlib import Path

import pytest

from sampan.engine.containers.configuration import LogConfiguration
from sampan.engine.containers.contract import LogOptions
from sampan.engine.containers.log_files import log_limits
from sampan.engine.containers.log_reading import nanoseconds, read
from sampan.engine.contract import InvalidConfiguration


def log(kind: str, **options: str) -> LogConfiguration:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return LogConfiguration(kind=kind, configuration=named)


def test_drivers_and_options_are_limits() -> None:
    default = log_limits(LogConfiguration())
    assert default is not None
    assert (default.size, default.files, default.compress) == (20 << 20, 5, False)
    own = log_limits(log("json-file", max_size="10m", max_file="2", compress="true"))
    assert own is not None
    assert (own.size, own.files, own.compress) == (10 << 20, 2, True)
    local = log_limits(log("local"))
    assert local is not None
    assert local.compress
    assert log_limits(log("none")) is None


@pytest.mark.parametrize(
    "wrong", [log("json-file", max_size="much"), log("json-file", max_file="0"), log("local", x="")]
)
def test_wrong_options_are_refused(wrong: LogConfiguration) -> None:
    with pytest.raises(InvalidConfiguration):
        log_limits(wrong)


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
