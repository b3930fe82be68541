"""Limits hold by measurement inside the container; the usage that is told is what was used."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from isolation import Place, in_own_process

from sampan.engine.configuration import Device, DeviceRate, Limits
from sampan.engine.container_engine import ContainerEngine

pytestmark = pytest.mark.real

MIB = 1 << 20
# The scheduler's own account, in nanoseconds: times(2) may be no more than samples at each tick.
_SPIN = r"""
sub first { open(my $file, "<", $_[0]); return (split " ", <$file>)[0]; }
my ($begun, $used) = (first("/proc/uptime"), first("/proc/self/schedstat"));
my $now = $begun;
while ($now < $begun + 2) { for my $i (1 .. 10000) {} $now = first("/proc/uptime"); }
printf "%f\n", (first("/proc/self/schedstat") - $used) / 1e9 / ($now - $begun);
"""
_FILL = r"""
$| = 1; my @kept;
for my $i (1 .. 200) { my $piece = "x" x 1048576; push @kept, $piece; print "$i\n"; }
"""


async def said(place: Place, engine: ContainerEngine, *command: str, **settings: object) -> str:
    identifier = await engine.create(place.shell("", command=command, **settings))
    try:
        await engine.start(identifier)
        await engine.wait(identifier)
        return place.log()
    finally:
        await engine.remove(identifier)


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_share_of_a_processor_is_that_share(tmp_path: Path, share: float) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        limits = Limits(cpu_quota=int(share * 100_000), pids=20)
        used = float(await said(place, engine, "/bin/perl", "-e", _SPIN, limits=limits))
        assert used == pytest.approx(share, rel=0.1)
        await engine.close()

    in_own_process(tmp_path, body)


def test_processors_are_those_that_are_given(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        limits = Limits(processors="0", pids=20)
        status = await said(place, engine, "/bin/cat", "/proc/self/status", limits=limits)
        assert "Cpus_allowed_list:\t0\n" in status
        await engine.close()

    in_own_process(tmp_path, body)


def test_memory_ends_at_its_limit_and_that_is_told(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        limit = 48 * MIB
        identifier = await engine.create(
            place.shell("", command=("/bin/perl", "-e", _FILL), limits=Limits(memory=limit))
        )
        await engine.prepare(identifier)
        assert (await engine.detailed_usage(identifier)).memory.limit == limit
        await engine.start(identifier)
        status = await engine.wait(identifier)
        usage = (await engine.detailed_usage(identifier)).memory
        assert (status.exit_code, status.out_of_memory) == (137, True)
        # To the page: the kernel charges in pages, and never past the limit.
        assert usage.peak == limit if usage.peak else usage.failures > 0
        assert usage.out_of_memory_kills >= 1
        filled = int(place.log().split()[-1])
        assert limit // MIB - 8 <= filled <= limit // MIB
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_usage_is_what_was_used(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        script = (
            "dd if=/dev/zero of=/file bs=1M count=30 2>/dev/null; "
            'perl -e \'$x = "x" x (20 << 20); print "ready\\n"; $| = 1; print "\\n"; sleep 100\''
        )
        limits = Limits(memory=200 * MIB, pids=33, cpu_quota=10_000)
        identifier = await engine.create(place.shell(script, limits=limits))
        await engine.prepare(identifier)
        session = await engine.attach(identifier)
        await engine.start(identifier)
        async for _, data in session.output():
            if b"ready" in data:
                break
        await session.kill()
        usage = await engine.detailed_usage(identifier)
        assert 20 * MIB <= usage.memory.resident <= 50 * MIB
        assert usage.memory.cache >= 30 * MIB
        assert usage.memory.used >= usage.memory.resident + usage.memory.inactive_file
        assert usage.memory.limit == 200 * MIB
        assert "pgfault" in usage.memory.statistics
        assert usage.cpu.total > 0
        assert usage.cpu.user + usage.cpu.system <= usage.cpu.total * 2
        assert usage.cpu.periods >= usage.cpu.throttled_periods > 0
        assert usage.cpu.throttled_time > 0
        assert (usage.pids, usage.pids_limit) == (2, 33)
        assert len(await engine.processes(identifier)) == 2
        assert len(usage.cpu.by_processor) == (os.cpu_count() if usage.version == 1 else 0)
        await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


@contextmanager
def loop_device(folder: Path, size: int) -> Iterator[str]:
    backing = folder / "disk"
    with backing.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    made = subprocess.run(
        ("losetup", "--show", "-f", str(backing)),
        capture_output=True,
        text=True,
        check=True,
    )
    device = made.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(("losetup", "-d", device), check=True)


@pytest.mark.parametrize("direction", ["read", "write"])
def test_a_disk_is_as_slow_as_is_asked_for(tmp_path: Path, direction: str) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        rate, amount = 8 * MIB, 20 * MIB
        with loop_device(place.folder, 32 * MIB) as device:
            bound = (DeviceRate(device, rate),)
            limits = Limits(read_bytes=bound) if direction == "read" else Limits(write_bytes=bound)
            copy = {
                "read": "if=/dev/disk of=/dev/null iflag=direct",
                "write": "if=/dev/zero of=/dev/disk oflag=direct",
            }[direction]
            identifier = await engine.create(
                place.shell(
                    f"dd {copy} bs=1M count={amount // MIB}",
                    limits=limits,
                    devices=(Device(source=device, target="/dev/disk"),),
                )
            )
            await engine.start(identifier)
            await engine.wait(identifier)
            told = place.log().splitlines()[-1]
            seconds = float(told.split(", ")[-2].split()[0])
            assert amount / seconds == pytest.approx(rate, rel=0.2)
            number = os.stat(device).st_rdev
            counted = [
                each
                for each in (await engine.detailed_usage(identifier)).devices
                if (each.major, each.minor) == (os.major(number), os.minor(number))
            ]
            assert [getattr(each, f"{direction}_bytes") for each in counted] == [amount]
            assert getattr(counted[0], f"{direction}s") >= amount // MIB
            await engine.remove(identifier)
        await engine.close()

    in_own_process(tmp_path, body)


def test_operations_of_a_disk_are_counted_and_held(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        engine = await place.engine()
        with loop_device(place.folder, 4 * MIB) as device:
            found = await said(
                place,
                engine,
                *("/bin/sh", "-c", "dd if=/dev/disk of=/dev/null bs=4k count=100 iflag=direct"),
                limits=Limits(read_operations=(DeviceRate(device, 50),)),
                devices=(Device(source=device, target="/dev/disk", permissions="r"),),
            )
            seconds = float(found.splitlines()[-1].split(", ")[-2].split()[0])
            assert 100 / seconds == pytest.approx(50, rel=0.2)
        await engine.close()

    in_own_process(tmp_path, body)
