"""The life of a container that people run by hand, from its creation to its removal."""

import asyncio
from pathlib import Path

import pytest
from isolation import Place, in_own_process
from stage import created, opened, until

from sampan.engine.containers.configuration import RestartPolicy
from sampan.engine.containers.contract import AttachOptions, LogOptions
from sampan.engine.contract import CommandNotFound, Conflict, NameInUse, NotFound, NotModified

pytestmark = pytest.mark.real


def test_a_container_runs_and_is_removed(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        containers = stage.containers
        identifier = await created(stage, "echo out; echo err >&2; exit 3", "first")
        with pytest.raises(NameInUse):
            await created(stage, "true", "first")
        assert (await containers.inspect("first")).state.phase == "created"
        waiting = containers.wait("first", "next-exit")
        await containers.start(identifier[:12])
        assert (await waiting).exit_code == 3
        await asyncio.wait_for(containers.wait("first", "not-running"), 5)
        detail = await containers.inspect("first")
        assert (detail.state.phase, detail.state.exit_code) == ("exited", 3)
        assert detail.state.started < detail.state.finished
        said = {entry.stream: entry.data async for entry in containers.logs("first", LogOptions())}
        assert said == {"stdout": b"out\n", "stderr": b"err\n"}
        await containers.start("first")
        assert (await containers.wait("first", "not-running")).exit_code == 3
        gone = containers.wait("first", "removed")
        await containers.remove("first")
        await gone
        with pytest.raises(NotFound, match="No such container: first"):
            await containers.inspect("first")
        assert stage.actions() == [
            "create", "start", "die", "start", "die", "destroy",
        ]  # fmt: skip
        assert not list(stage.parts.logs.iterdir())
        await stage.close()

    in_own_process(tmp_path, body)


def test_stopping_pausing_and_killing(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        containers = stage.containers
        await created(stage, "trap 'exit 5' TERM; while :; do sleep 0.05; done", "one")
        await containers.start("one")
        with pytest.raises(NotModified):
            await containers.start("one")
        with pytest.raises(Conflict, match="You cannot remove a running container"):
            await containers.remove("one")
        await containers.pause("one")
        assert (await containers.inspect("one")).state.phase == "paused"
        await containers.unpause("one")
        await containers.rename("one", "two")
        await asyncio.sleep(0.2)
        await containers.stop("two", 5)
        assert (await containers.inspect("two")).state.exit_code == 5
        with pytest.raises(NotModified):
            await containers.stop("two")
        await containers.restart("two", 5)
        await containers.kill("two")
        assert (await containers.inspect("two")).state.exit_code == 137
        await containers.start("two")
        await containers.remove("two", force=True)
        assert [action for action in stage.actions() if action in ("pause", "unpause", "rename")]
        await stage.close()

    in_own_process(tmp_path, body)


def test_what_cannot_be_executed_is_told_in_the_words_of_docker(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        await created(stage, "true", "bad", entrypoint=("/no/such",))
        with pytest.raises(CommandNotFound, match="stat /no/such: no such file"):
            await stage.containers.start("bad")
        detail = await stage.containers.inspect("bad")
        assert (detail.state.phase, detail.state.exit_code) == ("created", 127)
        await stage.containers.remove("bad")
        await created(stage, "true", "gone", entrypoint=("/etc",), host={"auto_remove": True})
        with pytest.raises(CommandNotFound, match="permission denied"):
            await stage.containers.start("gone")
        assert await stage.containers.list() == []
        await stage.close()

    in_own_process(tmp_path, body)


def test_a_client_attached_before_the_start_misses_nothing(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        containers = stage.containers
        await created(
            stage,
            "read word; echo got $word",
            "asking",
            open_stdin=True,
            stdin_once=True,
            host={"auto_remove": True},
        )
        session = await containers.attach("asking", AttachOptions(stdin=True))
        removed = containers.wait("asking", "removed")
        await containers.start("asking")
        await session.write(b"hello\n")
        await session.close_stdin()
        output = b"".join([data async for _, data in session.output()])
        assert output == b"got hello\n"
        assert (await removed).exit_code == 0
        assert await containers.list() == []
        await stage.close()

    in_own_process(tmp_path, body)


def test_policies_start_containers_again_but_not_behind_a_hand(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        containers = stage.containers
        policy = RestartPolicy(name="on-failure", maximum_retry_count=2)
        await created(stage, "exit 4", "failing", host={"restart_policy": policy})
        await containers.start("failing")

        async def tried(name: str, times: int) -> bool:
            return (await containers.inspect(name)).restart_count >= times

        await until(lambda: tried("failing", 2))
        assert (await containers.wait("failing", "not-running")).exit_code == 4
        assert stage.actions().count("start") == 3
        always = {"restart_policy": RestartPolicy(name="always")}
        await created(stage, "sleep 0.1", "always", host=always)
        await containers.start("always")
        await until(lambda: tried("always", 1))
        await containers.stop("always", 0)
        await asyncio.sleep(0.4)
        assert not (await containers.inspect("always")).state.running
        for name in ("failing", "always"):
            await containers.remove(name, force=True)
        await stage.close()

    in_own_process(tmp_path, body)


def test_several_clients_come_and_go_and_the_input_stays_open(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        containers = stage.containers
        script = "read a; echo first $a; read b; echo then $b"
        await created(stage, script, "one", open_stdin=True)
        await containers.start("one")
        first = await containers.attach("one", AttachOptions(stdin=True))
        second = await containers.attach("one", AttachOptions())
        output = second.output()
        await first.write(b"x\n")
        assert (await anext(output)) == ("stdout", b"first x\n")
        await first.close_stdin()
        await first.kill()
        third = await containers.attach("one", AttachOptions(stdin=True, logs=True))
        said = third.output()
        assert (await anext(said)) == ("stdout", b"first x\n")
        await third.write(b"y\n")
        assert (await anext(said)) == ("stdout", b"then y\n")
        assert (await anext(output)) == ("stdout", b"then y\n")
        assert await third.wait() == 0
        await containers.remove("one", force=True)
        await stage.close()

    in_own_process(tmp_path, body)
