"""A process of its own for each test on real containers: own mounts, no orphan left behind."""

import asyncio
import contextlib
import ctypes
import io
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn

import uvloop
from gathering import root_layer
from tests.real.leftovers import instance_name

from sampan.engine.configuration import ContainerConfiguration, Limits
from sampan.engine.container_engine import ContainerEngine
from sampan.engine.images.documents import (
    LAYER_TYPE,
    Descriptor,
    ExecutionConfiguration,
    ImageConfiguration,
    RootFilesystem,
)
from sampan.engine.images.local import LocalImages
from sampan.engine.images.store import ImageStore
from sampan.foundation.settings import Instance
from sampan.host import cgroups, mounts
from sampan.host.netlink import Netlink

_CLONE_NEWNS = 0x20000
_CLONE_NEWNET = 0x40000000
_PR_SET_CHILD_SUBREAPER = 36
_TIME_LIMIT = 30
_PATIENCE = 50


class Place:
    """The folders, the control group and the image of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.instance = Instance(name=instance_name("t"))
        self.cgroup = self.instance.cgroup
        self.control_groups = cgroups.control_groups()
        self.store = ImageStore(folder / "images")

    async def engine(self) -> ContainerEngine:
        return await ContainerEngine.open(
            self.folder / "state", self.folder / "run", LocalImages(self.store)
        )

    async def add_image(self, name: str = "machine") -> str:
        """An image of the machine's own programs, with a shell as its command."""
        digest, size = self.store.blobs.add_stream(io.BytesIO(root_layer()), limit=1 << 30)
        configuration = ImageConfiguration(
            architecture="amd64",
            os="linux",
            config=ExecutionConfiguration(cmd=("/bin/sh",)),
            rootfs=RootFilesystem(diff_ids=(digest,)),
        )
        layer = Descriptor(media_type=LAYER_TYPE, digest=digest, size=size)
        with self.store.pinned() as pins:
            manifest = self.store.add_manifest(configuration, [layer], pins)
        await self.store.unpack(self.store.stored(manifest))
        await self.store.tag(manifest, name)
        return manifest

    def shell(self, script: str, name: str = "test", **changes: object) -> ContainerConfiguration:
        """A container that runs a shell script."""
        settings = {
            "name": name,
            "image": "machine",
            "command": ("/bin/sh", "-c", script),
            "cgroup_parent": self.cgroup,
            "log_path": str(self.folder / "logs" / f"{name}.log"),
            "limits": Limits(pids=200),
        }
        return ContainerConfiguration(**settings | changes)

    def log(self, name: str = "test") -> str:
        """What a container has said, without times."""
        lines = (self.folder / "logs" / f"{name}.log").read_text().splitlines()
        return "\n".join(line.split(" ", 3)[3] for line in lines)


def in_own_process(
    folder: Path, body: Callable[[Place], Awaitable[None]], limit: int = _TIME_LIMIT
) -> None:
    """Run a test's body in a process with a mount namespace of its own; fail as it fails.

    As on a node there is a holder between, which orphans are handed to and which reaps them.
    It fails too when a process or a control group is left.
    """
    report = folder / "report"
    root_layer()  # Made once, here, and not again in every child.
    holder = os.fork()
    if holder == 0:
        _exit_after(report, lambda: _hold(folder, report, body, limit))
    _, status = os.waitpid(holder, 0)
    told = report.read_text() if report.exists() else "the test took too long"
    assert os.waitstatus_to_exitcode(status) == 0, told


def _remove_folders(instance: Instance) -> None:
    """Those of the engine's own process, which may have been ended in the middle of something."""
    for folder in (instance.state_folder, instance.run_folder):
        for entry in mounts.mount_entries():
            if Path(entry.target).is_relative_to(folder):
                mounts.unmount(entry.target, lazily=True)
        if folder.exists():
            shutil.rmtree(folder)


def _exit_after(report: Path, work: Callable[[], None]) -> NoReturn:
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - it is told to the test
        with report.open("a") as out:
            traceback.print_exc(file=out)
    finally:
        sys.stdout.flush()
        os._exit(code)


def _hold(folder: Path, report: Path, body: Callable[[Place], Awaitable[None]], limit: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    # An engine makes bridges and rules: those must not be the machine's.
    assert libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    with Netlink() as netlink:
        netlink.set_up("lo")
    mounts.stop_propagation()
    mounts.hide_unified_hierarchy()
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    place = Place(folder)
    worker = os.fork()
    if worker == 0:
        signal.alarm(limit + 5)
        uvloop.install()
        _exit_after(report, lambda: asyncio.run(_bounded(body(place), limit)))
    try:
        code = _reap_until_ended(worker)
        left = _living()
        assert not left, f"processes are left: {left}"
        assert code == 0, f"the test's process ended with {code}"
    finally:
        place.control_groups.kill_all(place.cgroup)
        _end_children()
        place.control_groups.remove(place.cgroup)
        _remove_folders(place.instance)


async def _bounded(running: Awaitable[None], limit: int) -> None:
    async with asyncio.timeout(limit):
        await running


def _reap_until_ended(worker: int) -> int:
    while True:
        process, status = os.waitpid(-1, 0)
        if process == worker:
            return os.waitstatus_to_exitcode(status)


def _end_children() -> None:
    """Also those that are handed to us when their parents end."""
    while listed := Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        for process in map(int, listed):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def _living() -> list[bytes]:
    """The command lines of children that live on; those that have ended are reaped.

    A monitor may still be about to end: it is given a moment.
    """
    for _ in range(_PATIENCE):
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        if not listed:
            return []
        time.sleep(0.01)
    return [Path(f"/proc/{process}/cmdline").read_bytes() for process in listed]
