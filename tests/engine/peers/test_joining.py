"""A node's engine that joins the machine's: what is told of its containers, and asked of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
import pytest

from sampan.engine.configuration import ContainerConfiguration
from sampan.engine.container_engine import ContainerEngine
from sampan.engine.contract import Conflict, ContainerStatus, EngineError, ExecOptions
from sampan.engine.peers.member import Member
from sampan.engine.peers.peer import Peer
from sampan.engine.peers.peers import Peers
from sampan.engine.runtime.record import ContainerRecord
from sampan.engine.service.server import EngineServer
from sampan.host.cgroups import ControlGroups


def record(identifier: str, **changes: Any) -> ContainerRecord:
    return ContainerRecord(
        identifier=identifier,
        configuration=ContainerConfiguration(
            name=f"name-of-{identifier}", image="web:1", cgroup_parent="pods", log_path=""
        ),
        image_digest="sha256:" + "0" * 64,
        stop_signal="SIGTERM",
        **changes,
    )


class EchoSession:
    """A command that says what it is told, and ends with 5 at the end of its input."""

    process = 0

    def __init__(self) -> None:
        self.said: asyncio.Queue[bytes] = asyncio.Queue()
        self.size = (0, 0)
        self.killed = asyncio.Event()

    async def write(self, data: bytes) -> None:
        await self.said.put(data)

    async def close_stdin(self) -> None:
        await self.said.put(b"")

    async def output(self) -> AsyncIterator[tuple[Literal["stdout", "stderr"], bytes]]:
        yield "stderr", b"listening"
        while data := await self.said.get():
            yield "stdout", data

    async def resize(self, columns: int, rows: int) -> None:
        self.size = (columns, rows)

    async def wait(self) -> int:
        return 5

    async def kill(self) -> None:
        self.killed.set()
        await self.said.put(b"")


class NodeEngine:
    """What a member needs of its engine, over records that the test changes."""

    def __init__(self, folder: Path) -> None:
        self.containers_folder = folder
        self.held: dict[str, ContainerRecord] = {}
        self.signals: list[tuple[str, int]] = []
        self.session = EchoSession()
        self.commands: list[tuple[str, tuple[str, ...], ExecOptions]] = []
        self._told: list[Callable[[ContainerStatus], None]] = []
        self._told_of_removals: list[Callable[[str], None]] = []

    def on_change(self, callback: Callable[[ContainerStatus], None]) -> None:
        self._told.append(callback)

    def on_removal(self, callback: Callable[[str], None]) -> None:
        self._told_of_removals.append(callback)

    def record(self, identifier: str) -> ContainerRecord:
        return self.held[identifier]

    def records(self) -> list[ContainerRecord]:
        return list(self.held.values())

    def put(self, changed: ContainerRecord) -> None:
        self.held[changed.identifier] = changed
        for tell in self._told:
            tell(changed.status())

    def drop(self, identifier: str) -> None:
        del self.held[identifier]
        for tell in self._told_of_removals:
            tell(identifier)

    async def kill(self, identifier: str, signal: int) -> None:
        if self.held[identifier].phase != "running":
            raise Conflict("it does not run")
        self.signals.append((identifier, signal))

    async def execute(
        self, identifier: str, command: tuple[str, ...], options: ExecOptions
    ) -> EchoSession:
        self.commands.append((identifier, command, options))
        return self.session


class Shown:
    """What is on show, and every step to it."""

    def __init__(self) -> None:
        self.phases: dict[str, str] = {}
        self.steps: list[tuple[str, str, bool]] = []
        self.keepers: set[str] = set()
        self._changed = asyncio.Event()

    async def show(
        self, keeper: str, record: ContainerRecord, process: int, *, is_news: bool
    ) -> None:
        self.keepers.add(keeper)
        self.phases[record.identifier] = record.phase
        self.steps.append((record.identifier, record.phase, is_news))
        self._changed.set()

    def hide(self, identifier: str, *, is_news: bool) -> None:
        del self.phases[identifier]
        self.steps.append((identifier, "gone", is_news))
        self._changed.set()

    async def until(self, phases: dict[str, str]) -> None:
        async with asyncio.timeout(10):
            while self.phases != phases:
                self._changed.clear()
                await self._changed.wait()


class Group:
    """Control groups in which nothing runs."""

    def processes(self, name: str) -> set[int]:
        return set()


class Joined:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node = NodeEngine(folder / "containers")
        self.shown = Shown()
        self.peers = Peers(cast(ControlGroups, Group()))
        self.machine = self._machine()
        self.member = Member(
            cast(ContainerEngine, self.node), "node-7", folder / "node.sock", folder / "m.sock"
        )

    def _machine(self) -> EngineServer:
        return EngineServer(self.folder / "m.sock", self.peers.handlers(self.shown))

    async def start_machine(self) -> None:
        self.machine = self._machine()
        await self.machine.start()

    def keeper(self, identifier: str) -> Peer:
        found = self.peers.keeper(identifier)
        assert found is not None
        return found


@contextlib.asynccontextmanager
async def joined(folder: Path, *records: ContainerRecord) -> AsyncIterator[Joined]:
    parts = Joined(folder)
    parts.node.held = {it.identifier: it for it in records}
    await parts.start_machine()
    await parts.member.start()
    try:
        await parts.shown.until({it.identifier: it.phase for it in records})
        yield parts
    finally:
        await parts.member.close()
        await parts.machine.stop()


def test_what_was_there_is_shown_and_each_change_after_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with joined(tmp_path, record("a", phase="running")) as parts:
            parts.node.put(record("b", phase="created"))
            parts.node.put(record("b", phase="running"))
            parts.node.put(record("b", phase="exited", exit_code=3))
            parts.node.drop("a")
            await parts.shown.until({"b": "exited"})
            assert parts.shown.steps == [
                ("a", "running", False),
                ("b", "created", True),
                ("b", "running", True),
                ("b", "exited", True),
                ("a", "gone", True),
            ]
            assert parts.shown.keepers == {"node-7"}
            assert parts.peers.keeper("a") is None
            assert (await parts.keeper("b").status("b")).exit_code == 3

    asyncio.run(scenario())


def test_another_process_of_the_machines_engine_hears_of_all_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with joined(tmp_path, record("a", phase="running")) as parts:
            await parts.machine.stop()
            assert parts.shown.phases == {}
            assert parts.shown.steps[-1] == ("a", "gone", False)
            parts.node.put(record("b", phase="running"))
            await parts.start_machine()
            await parts.shown.until({"a": "running", "b": "running"})

    asyncio.run(scenario())


def test_what_is_done_to_a_container_is_done_by_its_keeper(tmp_path: Path) -> None:
    async def scenario() -> None:
        ended = record("b", phase="exited")
        async with joined(tmp_path, record("a", phase="running"), ended) as parts:
            await parts.keeper("a").kill("a", 15)
            assert parts.node.signals == [("a", 15)]
            with pytest.raises(Conflict, match="it does not run"):
                await parts.keeper("b").kill("b", 15)

    asyncio.run(scenario())


def test_a_keeper_that_is_gone_is_told_of(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with joined(tmp_path, record("a", phase="running")) as parts:
            keeper = parts.keeper("a")
            await parts.member.close()
            await parts.shown.until({})
            with pytest.raises(EngineError, match="the engine of node-7 does not answer"):
                await keeper.kill("a", 15)
            with pytest.raises(EngineError, match="the engine of node-7 does not answer"):
                await keeper.execute("a", ("true",))

    asyncio.run(scenario())


def test_streams_go_both_ways(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with joined(tmp_path, record("a", phase="running")) as parts:
            session = await parts.keeper("a").execute(
                "a", ("cat",), ExecOptions(environment={"A": "1"}, stdin=True)
            )
            large = b"x" * (5 << 20)
            await session.resize(80, 24)
            said: dict[str, bytes] = {"stdout": b"", "stderr": b""}

            async def tell() -> None:
                await session.write(b"first ")
                await session.write(large)
                await session.close_stdin()

            telling = asyncio.ensure_future(tell())
            async for stream, data in session.output():
                said[stream] += data
            await telling
            assert said == {"stdout": b"first " + large, "stderr": b"listening"}
            assert await session.wait() == 5
            assert parts.node.session.size == (80, 24)
            ((identifier, command, options),) = parts.node.commands
            assert (identifier, command, options.environment) == ("a", ("cat",), {"A": "1"})
            with pytest.raises(BrokenPipeError):
                await session.write(b"too late")

    asyncio.run(scenario())


def test_a_client_that_goes_away_ends_the_command(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with joined(tmp_path, record("a", phase="running")) as parts:
            session = await parts.keeper("a").execute("a", ("cat",))
            output = session.output()
            assert await anext(output) == ("stderr", b"listening")
            await output.aclose()
            await asyncio.wait_for(parts.node.session.killed.wait(), 10)

    asyncio.run(scenario())


def test_a_frame_that_is_no_notice_ends_the_membership(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with joined(tmp_path) as parts:
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "m.sock"))
            question = {
                "method": "peers.join",
                "arguments": {"name": "x", "socket": "", "containers": ""},
            }
            payload = msgspec.json.encode(question)
            writer.write(b"Q" + len(payload).to_bytes(4, "big") + payload)
            writer.write(b"N" + (3).to_bytes(4, "big") + b"{]}")
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()
            assert parts.shown.phases == {}

    asyncio.run(scenario())
