"""What containers and volumes may hold is counted and held by the file system, where that can be.

The file systems are made in files, on loop devices. Where the machine's kernel has no quotas the
kernel of the guest has (`test_rare_abilities.py`).
"""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from isolation import Place, in_own_process

from sampan.engine.configuration import Mount
from sampan.engine.container_engine import ContainerEngine
from sampan.engine.contract import EngineError
from sampan.engine.events import Events
from sampan.engine.state import State
from sampan.engine.volumes.contract import VolumeDefinition
from sampan.engine.volumes.local_volumes import LocalVolumes
from sampan.host import mounts
from sampan.host.project_quota import ProjectUsage, project_of, project_usage

pytestmark = pytest.mark.real

MIB = 1 << 20
_MADE = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-O", "project,quota", "-E", "quotatype=prjquota"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
}
_SIZES = {"ext4": 64 * MIB, "xfs": 320 * MIB}
KINDS = pytest.mark.parametrize("kind", sorted(_MADE))


@contextmanager
def file_system(kind: str, file: Path, place: Path) -> Iterator[Path]:
    with file.open("wb") as made:
        made.truncate(_SIZES[kind])
    subprocess.run((*_MADE[kind], str(file)), check=True, capture_output=True)
    place.mkdir()
    with mounted(file, place):
        yield place


@contextmanager
def mounted(file: Path, place: Path) -> Iterator[None]:
    subprocess.run(("mount", "-o", "loop,prjquota", str(file), str(place)), check=True)
    try:
        yield
    finally:
        subprocess.run(("umount", str(place)), check=True)


@pytest.fixture
def has_quotas(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Skips where the kernel, or the machine, can't make such a file system."""
    kind = request.node.callspec.params["kind"]
    try:
        with file_system(kind, tmp_path / "probe", tmp_path / "probed"):
            return
    except (FileNotFoundError, subprocess.CalledProcessError) as reason:
        pytest.skip(f"no {kind} with quotas for projects: {reason}")


async def run(place: Place, engine: ContainerEngine, script: str, **settings: object) -> str:
    identifier = await engine.create(place.shell(script, **settings))
    await engine.start(identifier)
    await engine.wait(identifier)
    return identifier


async def given_back(folder: Path, project: int) -> None:
    """XFS takes away what was deleted a moment later."""
    for _ in range(200):
        if project_usage(folder, project) == ProjectUsage():
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"still counted: {project_usage(folder, project)}")


@KINDS
@pytest.mark.usefixtures("has_quotas")
def test_a_root_takes_what_it_may_and_is_counted_over_lives(tmp_path: Path, kind: str) -> None:
    fill = "for n in 1 2; do dd if=/dev/zero of=/filled$n bs=1M count=12 || exit 1; done"

    async def body(place: Place) -> None:
        await place.add_image()
        disk, state = place.folder / "disk", place.folder / "state"
        with file_system(kind, disk, state):
            engine = await place.engine()
            identifier = await run(place, engine, fill, root_size=16 * MIB)
            assert "No space left" in place.log() or "quota exceeded" in place.log()
            project = engine.record(identifier).project
            used = project_usage(state, project)
            assert used.limit == 16 * MIB
            assert 15 * MIB < used.size <= 16 * MIB
            free = await run(place, engine, fill, name="free")
            assert (await engine.status(free)).exit_code == 0
            await engine.remove(free)
            # A life later, of the engine and of the file system, the count goes on.
            await engine.close()
            mounts.unmount(state / "containers" / identifier / "rootfs")
        with mounted(disk, state):
            engine = await place.engine()
            assert abs(project_usage(state, project).size - used.size) <= 4096
            await engine.start(identifier)
            await engine.wait(identifier)
            assert project_usage(state, project).size <= 16 * MIB
            await engine.remove(identifier)
            await given_back(state, project)
            await engine.close()

    in_own_process(tmp_path, body)


@KINDS
@pytest.mark.usefixtures("has_quotas")
def test_a_volume_holds_what_it_may(tmp_path: Path, kind: str) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        with file_system(kind, place.folder / "disk", place.folder / "volumes") as folder:
            state = await State.open(place.folder / "state.db")
            volumes = await LocalVolumes.open(folder, state, Events(), clock=lambda: 0)
            options = {"size": "8m"}
            made = await volumes.create(VolumeDefinition(name="data", driver_options=options))
            # What the image has there comes into it, and is counted.
            acquired = await volumes.acquire("one", VolumeDefinition(name="data"))
            assert acquired.fresh
            source = place.folder / "source"
            source.mkdir()
            (source / "given").write_bytes(b"x" * MIB)
            await volumes.populate("data", source)
            project = project_of(acquired.path)
            assert project_usage(folder, project).size >= MIB
            engine = await place.engine()
            identifier = await run(
                place,
                engine,
                "dd if=/dev/zero of=/data/filled bs=1M count=20",
                mounts=(Mount(source=made.mountpoint, target="/data"),),
            )
            assert "No space left" in place.log() or "quota exceeded" in place.log()
            used = project_usage(folder, project)
            assert used.limit == 8 * MIB
            assert 7 * MIB < used.size <= 8 * MIB
            await engine.remove(identifier)
            await engine.close()
            await volumes.release("one")
            await volumes.remove("data")
            await given_back(folder, project)
            await state.close()

    in_own_process(tmp_path, body)


def test_where_there_are_no_quotas_a_size_is_refused(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        (place.folder / "state").mkdir()
        mounts.mount_tmpfs(str(place.folder / "state"))
        engine = await place.engine()
        refusal = "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
        with pytest.raises(EngineError, match=refusal):
            await engine.create(place.shell("true", root_size=MIB))
        assert await engine.containers() == []
        await engine.close()

    in_own_process(tmp_path, body)
