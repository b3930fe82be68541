"""Volumes are kept, held, filled, refused and removed as Docker's are."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from sampan.engine.contract import Conflict, InvalidConfiguration, NotFound, NotImplementedHere
from sampan.engine.events import Events
from sampan.engine.state import State
from sampan.engine.volumes import local_volumes
from sampan.engine.volumes.contract import VolumeDefinition
from sampan.engine.volumes.local_volumes import LocalVolumes

_NOW = 1_700_000_000_000_000_000


@contextlib.asynccontextmanager
async def _opened(folder: Path, events: Events | None = None) -> AsyncIterator[LocalVolumes]:
    state = await State.open(folder / "state.db")
    try:
        yield await LocalVolumes.open(
            folder / "volumes", state, events or Events(), clock=lambda: _NOW
        )
    finally:
        await state.close()


def _run(folder: Path, body: Callable[[LocalVolumes], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with _opened(folder) as volumes:
            await body(volumes)

    asyncio.run(scenario())


def test_a_size_is_refused_where_nothing_would_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_volumes, "has_project_quotas", lambda _: False)

    async def body(volumes: LocalVolumes) -> None:
        definition = VolumeDefinition(name="data", driver_options={"size": "1g"})
        refusal = "create data: quota size requested but no quota support"
        with pytest.raises(InvalidConfiguration, match=refusal):
            await volumes.create(definition)
        assert volumes.volumes() == []

    _run(tmp_path, body)


def test_a_volume_is_made_once_and_outlives_the_engine(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _opened(tmp_path) as volumes:
            made = await volumes.create(VolumeDefinition(name="data", labels={"a": "b"}))
            assert made.mountpoint == str(tmp_path / "volumes/data/_data")
            assert made.created_at == "2023-11-14T22:13:20Z"
            Path(made.mountpoint, "file").write_text("kept")
            assert await volumes.create(VolumeDefinition(name="data")) == made
        async with _opened(tmp_path) as volumes:
            await volumes.restore({})
            assert [each.name for each in volumes.volumes()] == ["data"]
            assert Path(volumes.inspect("data").mountpoint, "file").read_text() == "kept"

    asyncio.run(scenario())


def test_a_held_volume_stays_and_an_unnamed_one_goes_with_its_container(tmp_path: Path) -> None:
    async def body(volumes: LocalVolumes) -> None:
        named = await volumes.acquire("one", VolumeDefinition(name="named"))
        unnamed = await volumes.acquire("one", VolumeDefinition())
        await volumes.acquire("two", VolumeDefinition(name="named"))
        assert len(unnamed.name) == 64
        assert volumes.inspect(unnamed.name).anonymous
        with pytest.raises(Conflict, match=r"remove named: volume is in use - \[one, two\]"):
            await volumes.remove("named")
        await volumes.release("one", remove_anonymous=True)
        assert not unnamed.path.exists()
        assert named.path.exists()
        await volumes.release("two", remove_anonymous=True)
        await volumes.remove("named")
        assert volumes.volumes() == []

    _run(tmp_path, body)


def test_what_a_vanished_container_held_is_let_go_at_the_next_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _opened(tmp_path) as volumes:
            await volumes.acquire("gone", VolumeDefinition())
            await volumes.acquire("there", VolumeDefinition(name="kept"))
        async with _opened(tmp_path) as volumes:
            await volumes.restore({"there": False})
            assert volumes.holders() == {"kept": ("there",)}
            assert [each.name for each in volumes.volumes()] == ["kept"]

    asyncio.run(scenario())


def test_a_fresh_volume_gets_the_images_content(tmp_path: Path) -> None:
    image = tmp_path / "image"
    (image / "deep").mkdir(parents=True)
    image.chmod(0o750)
    os.chown(image, 1000, 1001)
    (image / "file").write_text("content")
    (image / "deep/program").write_text("run")
    (image / "deep/program").chmod(0o4755)
    os.link(image / "file", image / "deep/again")
    (image / "link").symlink_to("/etc/passwd")
    os.mkfifo(image / "pipe")
    os.setxattr(image / "file", "user.note", b"kept")
    os.utime(image / "deep", ns=(5, 7_000_000_000))

    async def body(volumes: LocalVolumes) -> None:
        made = await volumes.acquire("one", VolumeDefinition(name="data"))
        assert made.fresh
        await volumes.populate("data", image)
        status = made.path.stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (1000, 1001, 0o750)
        assert (made.path / "file").read_text() == "content"
        assert (made.path / "deep/program").stat().st_mode & 0o7777 == 0o4755
        assert (made.path / "deep/again").stat().st_ino == (made.path / "file").stat().st_ino
        assert os.readlink(made.path / "link") == "/etc/passwd"
        assert os.getxattr(made.path / "file", "user.note") == b"kept"
        assert (made.path / "deep").stat().st_mtime_ns == 7_000_000_000
        assert not (await volumes.acquire("two", VolumeDefinition(name="data"))).fresh
        (made.path / "file").write_text("changed")
        await volumes.populate("data", image)
        assert (made.path / "file").read_text() == "changed"

    _run(tmp_path, body)


def test_sizes_and_counts_are_told(tmp_path: Path) -> None:
    async def body(volumes: LocalVolumes) -> None:
        made = await volumes.acquire("one", VolumeDefinition(name="data"))
        (made.path / "file").write_bytes(bytes(5000))
        (told,) = await volumes.usage()
        assert told.usage_data is not None
        assert (told.usage_data.size, told.usage_data.ref_count) == (5000, 1)

    _run(tmp_path, body)


def test_pruning_takes_what_nobody_holds_and_is_wanted_gone(tmp_path: Path) -> None:
    async def body(volumes: LocalVolumes) -> None:
        for name in ("held", "kept", "gone"):
            await volumes.create(VolumeDefinition(name=name))
        Path(volumes.inspect("gone").mountpoint, "file").write_bytes(bytes(100))
        await volumes.acquire("one", VolumeDefinition(name="held"))
        pruned = await volumes.prune(lambda volume: volume.name != "kept")
        assert (pruned.names, pruned.space_reclaimed) == (("gone",), 100)
        assert [each.name for each in volumes.volumes()] == ["held", "kept"]

    _run(tmp_path, body)


@pytest.mark.parametrize("name", ["a", "../up", "with/slash", "-dash", "x" * 256, "nul\0"])
def test_names_that_could_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    async def body(volumes: LocalVolumes) -> None:
        with pytest.raises(InvalidConfiguration):
            await volumes.create(VolumeDefinition(name=name))
        assert list((tmp_path / "volumes").iterdir()) == []

    _run(tmp_path, body)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"type": "nfs", "o": "addr=10.0.0.1", "device": ":/x"}, NotImplementedHere),
        ({"type": "ext4", "device": "/dev/sda"}, NotImplementedHere),
        ({"type": "tmpfs"}, InvalidConfiguration),
        ({"type": "none", "o": "bind", "device": "relative"}, InvalidConfiguration),
        ({"type": "none", "o": "bind,evil=1", "device": "/x"}, InvalidConfiguration),
        ({"colour": "red"}, InvalidConfiguration),
        ({"size": "1x"}, InvalidConfiguration),
        ({"size": "1g", "type": "tmpfs", "device": "tmpfs"}, InvalidConfiguration),
    ],
)
def test_options_that_cannot_be_met_are_refused(
    tmp_path: Path, options: dict[str, str], error: type[Exception]
) -> None:
    async def body(volumes: LocalVolumes) -> None:
        with pytest.raises(error):
            await volumes.create(VolumeDefinition(name="data", driver_options=options))
        assert volumes.volumes() == []

    _run(tmp_path, body)


def test_what_is_not_there_is_not_found_unless_forced(tmp_path: Path) -> None:
    async def body(volumes: LocalVolumes) -> None:
        with pytest.raises(NotFound, match="get nothing: no such volume"):
            await volumes.remove("nothing")
        await volumes.remove("nothing", force=True)
        with pytest.raises(NotFound, match='plugin "fancy" not found'):
            await volumes.create(VolumeDefinition(name="data", driver="fancy"))

    _run(tmp_path, body)


def test_events_tell_of_a_volumes_life(tmp_path: Path) -> None:
    async def scenario() -> None:
        events = Events(iter(range(1, 100)).__next__)
        async with _opened(tmp_path, events) as volumes:
            await volumes.acquire("one", VolumeDefinition(name="data"))
            await volumes.mount("data", "one", "/data", writable=True)
            await volumes.unmount("data", "one")
            await volumes.release("one")
            await volumes.remove("data")
        told = [event async for event in events.subscribe(1, 2)]
        assert [event.action for event in told] == ["create", "mount"]
        assert told[1].attributes["destination"] == "/data"

    asyncio.run(scenario())
