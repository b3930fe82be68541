"""What can be seen of a container from outside: its processes, what it uses, what it wrote."""

import asyncio
import os
import posixpath
import re
import shlex
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.contract import (
    BlockCounter,
    Change,
    CpuStatistics,
    MemoryStatistics,
    NetworkCounters,
    Sizes,
    Statistics,
    Top,
)
from sampan.engine.containers.parts import Parts
from sampan.engine.contract import Conflict, EngineError, InvalidConfiguration, Written
from sampan.host import paths, processes
from sampan.host.cgroup_usage import DetailedUsage
from sampan.host.tree_size import tree_size

_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
_PS = ("/usr/bin/ps", "/bin/ps")
_OUTPUT_LIMIT = 4 << 20
_PS_SECONDS = 10.0
_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_MOUNT_POINTS = frozenset(
    ("/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
)
_RENAMED_COLUMN = re.compile(r"\bpid\s*=\s*\S", re.IGNORECASE)


async def top(container: ManagedContainer, parts: Parts, arguments: str) -> Top:
    """What ps(1) says of its processes. Raises Conflict, InvalidConfiguration, EngineError."""
    if not container.running:
        raise Conflict(f"container {container.identifier} is not running")
    try:
        words = shlex.split(arguments or "-ef")
    except ValueError as error:
        raise InvalidConfiguration(f"invalid ps arguments: {error}") from error
    if any(_RENAMED_COLUMN.search(word) for word in words):
        raise InvalidConfiguration("specifying a name for the PID column is not allowed")
    inside = await parts.engine.processes(container.identifier)
    program = next((path for path in _PS if os.path.exists(path)), _PS[0])
    try:
        result = await processes.run(
            (program, *words),
            environment=_ENVIRONMENT,
            output_limit=_OUTPUT_LIMIT,
            timeout=_PS_SECONDS,
        )
    except FileNotFoundError as error:
        raise EngineError("ps is not installed on this machine") from error
    if result.exit_code != 0:
        # Its first line says why; behind it comes all that ps(1) can do.
        said = result.output.decode(errors="replace").strip().partition("\n")[0]
        raise EngineError(f"ps: {said}")
    return table(result.output.decode(errors="replace"), frozenset(inside))


def table(output: str, inside: frozenset[int]) -> Top:
    """The lines of ps(1) that are of the processes given. Raises EngineError. Pure."""
    lines = output.splitlines()
    titles = tuple(lines[0].split()) if lines else ()
    if "PID" not in titles:
        raise EngineError("Couldn't find PID field in ps output")
    column = titles.index("PID")
    rows = []
    for line in lines[1:]:
        fields = line.split(None, len(titles) - 1)
        if len(fields) > column and fields[column].isdecimal() and int(fields[column]) in inside:
            rows.append(tuple(fields))
    return Top(titles, tuple(rows))


async def statistics(container: ManagedContainer, parts: Parts) -> Statistics:
    """One sample; empty when it doesn't run."""
    identifier, name = container.identifier, container.record.name
    if not container.running:
        return Statistics(identifier=identifier, name=name)
    usage = await parts.engine.detailed_usage(identifier)
    machine, online = _machine_cpu(Path("/proc/stat").read_text())
    try:
        networks = network_counters(Path(f"/proc/{container.process}/net/dev").read_text())
    except (FileNotFoundError, ProcessLookupError, OSError):
        # It has ended between two looks.
        networks = {}
    if container.record.host.network_mode == "host":
        networks = {}
    return Statistics(
        identifier=identifier,
        name=name,
        time=parts.clock(),
        cgroup_version=usage.version,
        cpu=_cpu(usage, machine, online),
        memory=_memory(usage),
        processes=usage.pids,
        processes_limit=usage.pids_limit,
        block_bytes=tuple(_block(usage, "read_bytes", "write_bytes")),
        block_operations=tuple(_block(usage, "reads", "writes")),
        networks=networks,
    )


def network_counters(text: str) -> dict[str, NetworkCounters]:
    """The interfaces of a /proc/PID/net/dev (proc_pid_net(5)) without the loopback."""
    found = {}
    for line in text.splitlines()[2:]:
        name, _, counters = line.partition(":")
        values = [int(value) for value in counters.split()]
        if name.strip() != "lo" and len(values) >= 12:
            found[name.strip()] = NetworkCounters(
                received_bytes=values[0],
                received_packets=values[1],
                received_errors=values[2],
                received_dropped=values[3],
                sent_bytes=values[8],
                sent_packets=values[9],
                sent_errors=values[10],
                sent_dropped=values[11],
            )
    return found


async def changes(container: ManagedContainer, parts: Parts) -> list[Change]:
    """What it added, changed and deleted, by paths. Raises OSError."""
    written = await parts.engine.written(container.identifier)
    found = await asyncio.to_thread(lambda: sorted(_changes(written), key=lambda it: it.path))
    return without_mount_points(found)


def without_mount_points(found: Sequence[Change]) -> list[Change]:
    """Without what the runtime makes to mount upon, and folders changed by that alone. Pure."""
    kept = [change for change in found if change.path not in _MOUNT_POINTS or change.kind != 1]
    above = {posixpath.dirname(path) for path in _MOUNT_POINTS}
    return [
        change
        for change in kept
        if change.kind != 0
        or change.path not in above
        or any(other.path.startswith(f"{change.path}/") for other in kept)
    ]


async def sizes(container: ManagedContainer, parts: Parts) -> Sizes:
    """What it wrote, and that with its image."""
    written = await parts.engine.written(container.identifier)
    own = await asyncio.to_thread(tree_size, written.upper)
    image = await parts.images.inspect(container.record.image)
    return Sizes(own, own + image.size)


def _changes(written: Written) -> Iterator[Change]:
    with ExitStack() as stack:
        layers = [stack.enter_context(paths.opened_folder(layer)) for layer in written.layers]
        folders = [written.upper]
        while folders:
            folder = folders.pop()
            for entry in os.scandir(folder):
                path = f"/{Path(entry.path).relative_to(written.upper)}"
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
                    yield Change(path, 2)
                    continue
                if stat.S_ISDIR(status.st_mode):
                    folders.append(Path(entry.path))
                yield Change(path, 0 if _is_in(layers, path) else 1)


def _is_in(layers: Iterable[int], path: str) -> bool:
    """Whether a path is seen in the layers, the topmost first, which whiteouts hide."""
    for layer in layers:
        try:
            with_path = paths.open_beneath(layer, path.lstrip("/"), os.O_PATH | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            status = os.fstat(with_path)
        finally:
            os.close(with_path)
        return not (stat.S_ISCHR(status.st_mode) and status.st_rdev == 0)
    return False


def _cpu(usage: DetailedUsage, machine: int, online: int) -> CpuStatistics:
    cpu = usage.cpu
    return CpuStatistics(
        total=cpu.total,
        per_cpu=cpu.by_processor,
        kernel=cpu.system,
        user=cpu.user,
        machine=machine,
        online=online,
        periods=cpu.periods,
        throttled_periods=cpu.throttled_periods,
        throttled_time=cpu.throttled_time,
    )


def _memory(usage: DetailedUsage) -> MemoryStatistics:
    memory = usage.memory
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return MemoryStatistics(
        usage=memory.used,
        maximum=memory.peak,
        failures=memory.failures,
        limit=min(memory.limit or machine, machine),
        details=memory.statistics,
    )


def _block(usage: DetailedUsage, read: str, write: str) -> Iterator[BlockCounter]:
    for device in usage.devices:
        yield BlockCounter(device.major, device.minor, "read", getattr(device, read))
        yield BlockCounter(device.major, device.minor, "write", getattr(device, write))


def _machine_cpu(text: str) -> tuple[int, int]:
    """Nanoseconds that all CPUs have counted (proc_stat(5), first line), and how many there are."""
    lines = text.splitlines()
    # Guests' time is in user and nice already.
    total = sum(int(value) for value in lines[0].split()[1:9]) * _TICK
    return total, sum(1 for line in lines if re.match(r"cpu\d", line))
