"""What a new life of the engine's process does with what the former one left."""

import asyncio
import shutil
from functools import partial
from pathlib import Path

import msgspec
import pytest
from isolation import Place, in_own_process
from stage import created, opened, until

from sampan.engine.containers.configuration import ExecConfiguration, RestartPolicy
from sampan.engine.containers.contract import LogOptions
from sampan.engine.containers.record import KIND, decoded, encoded
from sampan.engine.contract import Conflict, NotFound
from sampan.host import mounts

pytestmark = pytest.mark.real


def _policy(name: str) -> dict[str, object]:
    return {"restart_policy": RestartPolicy(name=name)}


def test_running_containers_run_on_and_their_ends_are_known(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        await created(stage, "sleep 100", "on")
        await created(stage, "sleep 0.3; echo bye; exit 6", "ends")
        await created(stage, "sleep 0.3", "vanishes", host={"auto_remove": True})
        await created(stage, "sleep 100", "waits")
        for name in ("on", "ends", "vanishes"):
            await stage.containers.start(name)
        process = (await stage.containers.inspect("on")).state.process
        await stage.close()
        await asyncio.sleep(0.6)
        stage = await opened(place)
        containers = stage.containers
        assert (await containers.inspect("on")).state.process == process
        ended = (await containers.inspect("ends")).state
        assert (ended.phase, ended.exit_code) == ("exited", 6)
        assert [entry.data async for entry in containers.logs("ends", LogOptions())] == [b"bye\n"]
        assert (await containers.inspect("waits")).state.phase == "created"
        assert {detail.name for detail in await containers.list()} == {"on", "ends", "waits"}
        await containers.stop("on", 0)
        for detail in await containers.list():
            await containers.remove(detail.identifier)
        await stage.close()

    in_own_process(tmp_path, body)


def test_policies_decide_what_runs_again(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        names = ("always", "unless-stopped", "no")
        for name in names:
            await created(stage, "sleep 100", name, host=_policy(name))
            await stage.containers.start(name)
            await stage.containers.stop(name, 0)
        await created(stage, "sleep 0.2", "ended", host=_policy("unless-stopped"))
        await stage.containers.start("ended")
        await stage.close()
        await asyncio.sleep(0.4)
        stage = await opened(place)

        async def runs(name: str) -> bool:
            return (await stage.containers.inspect(name)).state.phase == "running"

        await until(lambda: runs("always"))
        await until(lambda: runs("ended"))
        assert not await runs("unless-stopped")
        assert not await runs("no")
        for name in (*names, "ended"):
            await stage.containers.remove(name, force=True)
        await stage.close()

    in_own_process(tmp_path, body)


def test_what_is_half_made_or_half_removed_goes(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        half_made = await created(stage, "true", "half-made")
        half_gone = await created(stage, "true", "half-gone")
        unknown = await created(stage, "true", "unknown")
        bare = await created(stage, "true", "bare")
        state = stage.parts.state
        for identifier, intent in ((half_made, "create"), (half_gone, "remove")):
            record = decoded((await state.documents(KIND))[identifier])
            changed = msgspec.structs.replace(record, intent=intent)
            await state.put(KIND, identifier, encoded(changed))
        await state.delete(KIND, unknown)
        await stage.parts.engine.remove(bare)
        await stage.close()
        stage = await opened(place)
        assert await stage.containers.list() == []
        assert await stage.parts.engine.containers() == []
        assert await stage.parts.state.documents(KIND) == {}
        assert not list((place.folder / "state/containers").iterdir())
        await stage.close()

    in_own_process(tmp_path, body)


def test_a_reboot_brings_back_what_is_always_to_run(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place, boot="first")
        names = ("always", "unless-stopped", "on-failure", "no")
        for name in names:
            await created(stage, "echo up; sleep 100", name, host=_policy(name))
            await stage.containers.start(name)
        await created(stage, "sleep 100", "stopped", host=_policy("unless-stopped"))
        await stage.containers.start("stopped")
        await stage.containers.stop("stopped", 0)
        await created(stage, "sleep 100", "passing", host={"auto_remove": True})
        await stage.containers.start("passing")
        await stage.close()
        place.control_groups.kill_all(place.cgroup)
        await asyncio.sleep(0.3)
        for entry in reversed(mounts.mount_entries()):
            if entry.target.startswith(str(place.folder)):
                mounts.unmount(entry.target, lazily=True)
        shutil.rmtree(place.folder / "run")
        stage = await opened(place, boot="second")

        async def runs(name: str) -> bool:
            return (await stage.containers.inspect(name)).state.phase == "running"

        for name in ("always", "unless-stopped", "on-failure"):
            await until(partial(runs, name))
        assert not await runs("no")
        assert not await runs("stopped")
        assert len(await stage.containers.list()) == 5
        for detail in await stage.containers.list():
            await stage.containers.remove(detail.identifier, force=True)
        await stage.close()

    in_own_process(tmp_path, body)


def test_results_of_commands_are_known_and_running_ones_are_followed(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        await created(stage, "sleep 100", "one")
        await stage.containers.start("one")

        async def execute(script: str) -> str:
            wanted = ExecConfiguration(command=("/bin/sh", "-c", script))
            identifier = await stage.containers.exec_create("one", wanted)
            await stage.containers.exec_start(identifier, detach=True)
            return identifier

        ended, running = await execute("exit 7"), await execute("exec sleep 1.2")

        async def is_noted() -> bool:
            documents = await stage.parts.state.documents("execution")
            return documents.keys() == {ended, running}

        await until(is_noted)
        await stage.close()
        stage = await opened(place)
        detail = await stage.containers.exec_inspect(ended)
        assert (detail.running, detail.exit_code) == (False, 7)
        assert (await stage.containers.exec_inspect(running)).running
        assert (await stage.containers.inspect("one")).exec_identifiers == (running,)
        with pytest.raises(Conflict, match="has already run"):
            await stage.containers.exec_start(ended)

        async def is_over() -> bool:
            return not (await stage.containers.exec_inspect(running)).running

        await until(is_over)
        # Who it was that would have told is no more.
        assert (await stage.containers.exec_inspect(running)).exit_code is None
        await stage.containers.remove("one", force=True)
        assert await stage.parts.state.documents("execution") == {}
        with pytest.raises(NotFound):
            await stage.containers.exec_inspect(ended)
        await stage.close()

    in_own_process(tmp_path, body)
