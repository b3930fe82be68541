"""What people do with containers, all day long: beside Docker and Podman, in the same run."""

import functools
import io
import json
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bench.engines import IMAGE, LARGE_FILE, LARGE_SIZE, Engine, all_engines
from bench.measurement import Measurement, NotMeasured, milliseconds, quantile
from bench.runtime_alone import runtime_alone

_RUNS = 20
_CONTAINERS = 100
_HELD = 20
_BUILDS = 10
_COPIES = 5
_LINGER = ("sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done")
_STEPS = "".join(f"RUN echo {number} > /step-{number}\n" for number in range(6))
_WRITE = f"""
import time
start = time.perf_counter()
open("/{LARGE_FILE}", "r+b", buffering=0).write(b"x")
print(time.perf_counter() - start)
"""
_DOCKERFILE = f"FROM {IMAGE}\nENV A=1\nWORKDIR /work\nCOPY file /file\n{_STEPS}CMD true\n"


def measure() -> list[Measurement]:
    with all_engines() as engines:
        run = _row("run --rm IMAGE true, warm", "≤ 80 ms, ≤ 0.3 of both", engines, _run)
        alone = f"crun alone {milliseconds(quantile(runtime_alone(_RUNS), 0.5))}"
        return [
            msgspec.structs.replace(run, reference="; ".join(filter(None, (run.reference, alone)))),
            _life_row(engines),
            _row("a rebuild of 10 steps, all cached", "", engines, _rebuild),
            _row(f"first write into {LARGE_SIZE >> 20} MB of the image", "", engines, _copy_up),
            _memory_row(engines),
        ]


def _row(
    work: str, target: str, engines: Sequence[Engine], timed: Callable[[Engine], list[float]]
) -> Measurement:
    """Medians, and ours as a part of each other's."""
    ours, *others = [(engine.name, timed(engine)) for engine in engines]
    mine = quantile(ours[1], 0.5)
    figure = f"p50 {milliseconds(mine)} (p99 {milliseconds(quantile(ours[1], 0.99))})"
    return Measurement(
        work,
        figure,
        target,
        "; ".join(_beside(name, quantile(it, 0.5), mine) for name, it in others),
    )


def _beside(name: str, theirs: float, mine: float) -> str:
    return f"{name} {milliseconds(theirs)} (we: {mine / theirs:.2f})"


def _run(engine: Engine) -> list[float]:
    words = ("run", "--rm", IMAGE, "true")
    return [_seconds(lambda: engine.run(*words)) for _ in range(_RUNS + 1)][1:]


def _life_row(engines: Sequence[Engine]) -> Measurement:
    """Each step of all containers, one container after the other, over the API."""
    (_, mine), *others = [(engine.name, _life(engine)) for engine in engines]
    steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in mine.items())
    total = sum(mine.values())
    return Measurement(
        f"{_CONTAINERS} containers: created, started, stopped, removed",
        f"{total:.1f} s ({steps})",
        "",
        "; ".join(_beside(name, sum(theirs.values()), total) for name, theirs in others),
    )


def _life(engine: Engine) -> dict[str, float]:
    made: list[str] = []
    creating = _seconds(lambda: made.extend(engine.create(*_LINGER) for _ in range(_CONTAINERS)))
    steps = {"start": engine.start, "stop": engine.stop, "remove": engine.remove}
    seconds = {"create": creating}
    for name, step in steps.items():
        seconds[name] = sum(_seconds(functools.partial(step, it)) for it in made)
    return seconds


def _rebuild(engine: Engine) -> list[float]:
    context = _context()

    def build() -> None:
        said = engine.ask("POST", "/build?t=rebuilt:1", data=context, kind="application/x-tar")
        last = json.loads(said.splitlines()[-1])
        if "error" in last:
            raise NotMeasured(f"{engine.name}: build: {last['error'][:300]}")

    return [_seconds(build) for _ in range(_BUILDS + 1)][1:]


def _context() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in (("Dockerfile", _DOCKERFILE.encode()), ("file", b"content\n")):
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


def _copy_up(engine: Engine) -> list[float]:
    """As the program in the container sees it."""
    return [_written(engine) for _ in range(_COPIES)]


def _written(engine: Engine) -> float:
    identifier = engine.create("/usr/bin/python3", "-I", "-S", "-c", _WRITE)
    engine.start(identifier)
    engine.ask("POST", f"/containers/{identifier}/wait")
    said = engine.ask("GET", f"/containers/{identifier}/logs?stdout=1&stderr=1")
    engine.remove(identifier)
    try:
        # Eight bytes before what was said tell of its stream.
        return float(said[8:])
    except ValueError:
        raise NotMeasured(f"{engine.name}: {said[8:].decode(errors='replace')[-300:]}") from None


def _memory_row(engines: Sequence[Engine]) -> Measurement:
    (_, mine), *others = [(engine.name, _memory(engine)) for engine in engines]
    return Measurement(
        "memory for one more container (PSS of all but its own)",
        f"{mine / 1e6:.1f} MB",
        "≤ 2.5 MB",
        "; ".join(f"{name} {theirs / 1e6:.1f} MB" for name, theirs in others),
    )


def _memory(engine: Engine) -> float:
    """Bytes by which the engine, and what stands beside its containers, grow with each."""
    made = [engine.create(*_LINGER) for _ in range(_HELD)]
    try:
        before = sum(map(_proportional_size, engine.processes()))
        for identifier in made:
            engine.start(identifier)
        return (sum(map(_proportional_size, engine.processes())) - before) / _HELD
    finally:
        for identifier in made:
            engine.remove(identifier)


def _proportional_size(process: int) -> int:
    """Pss of smaps_rollup (proc_pid_smaps(5)), in bytes; 0 for a process that is gone."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
