"""Volumes whose options say that something is mounted there while containers run."""

from pathlib import Path

import pytest
from isolation import Place, in_own_process

from sampan.engine.contract import EngineError
from sampan.engine.events import Events
from sampan.engine.state import State
from sampan.engine.volumes.contract import VolumeDefinition
from sampan.engine.volumes.local_volumes import LocalVolumes
from sampan.host.mounts import mount_entries

pytestmark = pytest.mark.real


def _mounted(path: Path) -> list[str]:
    return [entry.filesystem for entry in mount_entries() if entry.target == str(path)]


async def _open(place: Place) -> tuple[State, LocalVolumes]:
    state = await State.open(place.folder / "state.db")
    volumes = await LocalVolumes.open(place.folder / "volumes", state, Events(), clock=lambda: 0)
    return state, volumes


def test_memory_and_binds_are_mounted_while_a_container_runs(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        state, volumes = await _open(place)
        bound = place.folder / "bound"
        bound.mkdir()
        (bound / "file").write_text("there")
        memory = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,noexec"}
        bind = {"type": "none", "device": str(bound), "o": "bind,ro"}
        for name, options in (("memory", memory), ("bind", bind)):
            await volumes.acquire("one", VolumeDefinition(name=name, driver_options=options))
        paths = {
            name: await volumes.mount(name, "one", "/x", writable=True)
            for name in ("memory", "bind")
        }
        await volumes.mount("memory", "two", "/x", writable=True)
        assert _mounted(paths["memory"]) == ["tmpfs"]
        assert (paths["bind"] / "file").read_text() == "there"
        with pytest.raises(OSError, match="Read-only"):
            (paths["bind"] / "file").write_text("changed")
        for name in ("memory", "bind"):
            await volumes.unmount(name, "one")
        assert len(_mounted(paths["memory"])) == 1
        assert _mounted(paths["bind"]) == []
        await volumes.unmount("memory", "two")
        assert _mounted(paths["memory"]) == []
        await volumes.release("one")
        await volumes.remove("bind")
        assert (bound / "file").read_text() == "there"
        await state.close()

    in_own_process(tmp_path, body)


def test_a_mount_of_an_earlier_life_is_kept_or_taken_away(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        state, volumes = await _open(place)
        options = {"type": "tmpfs", "device": "tmpfs"}
        for name in ("running", "ended"):
            await volumes.acquire(name, VolumeDefinition(name=name, driver_options=options))
            path = await volumes.mount(name, name, "/x", writable=True)
            (path / "file").write_text(name)
        await state.close()
        state, volumes = await _open(place)
        await volumes.restore({"running": True, "ended": False})
        kept = await volumes.mount("running", "running", "/x", writable=True)
        assert (kept / "file").read_text() == "running"
        assert _mounted(Path(volumes.inspect("ended").mountpoint)) == []
        await volumes.unmount("running", "running")
        assert _mounted(kept) == []
        await state.close()

    in_own_process(tmp_path, body)


def test_a_bind_of_nothing_is_told_when_it_is_mounted(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        state, volumes = await _open(place)
        options = {"type": "none", "device": str(place.folder / "nothing"), "o": "bind"}
        await volumes.acquire("one", VolumeDefinition(name="data", driver_options=options))
        with pytest.raises(EngineError, match="failed to mount local volume"):
            await volumes.mount("data", "one", "/x", writable=True)
        await state.close()

    in_own_process(tmp_path, body)
