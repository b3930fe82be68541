"""One of the machine's own containers in memory: its record, and how it stands just now.

It holds state and tells those who wait for it; what is done, and when, is others' to decide.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sampan.engine.containers.contract import (
    ContainerPhase,
    ContainerState,
    Health,
    WaitCondition,
    WaitResult,
)
from sampan.engine.containers.record import ContainerRecord

if TYPE_CHECKING:
    from sampan.engine.containers.attaching import LateSession
    from sampan.engine.containers.log_reading import BegunParts


class _Waiter(msgspec.Struct, frozen=True):
    condition: WaitCondition
    future: asyncio.Future[WaitResult]


class ManagedContainer:
    """`lock` is held by whoever changes what it is or whether it runs.

    `sources` are where its mounts' files lie in this run, `first_run` is True until it was
    started once. `kept_at_end` puts removal at the end off for a restart. `keeper` is the engine
    that it belongs to, "" for the machine's own; another's has its `log` where that wants it.
    `log_lock` is held by whoever makes its log, `log_made` says whether one was made in this run.
    """

    def __init__(
        self, record: ContainerRecord, *, keeper: str = "", log: Path | None = None
    ) -> None:
        self.record = record
        self.keeper = keeper
        self.log = log
        self.lock = asyncio.Lock()
        self.running = False
        self.paused = False
        self.removing = False
        self.kept_at_end = False
        self.process = 0
        self.started = 0
        self.pause_before_restart = 0.0
        self.restarting: asyncio.Task[None] | None = None
        self.health: Health | None = None
        self.health_task: asyncio.Task[None] | None = None
        self.attaching: list[LateSession] = []
        self.log_lock = asyncio.Lock()
        self.log_made = False
        self.log_followers: list[BegunParts] = []
        self.log_task: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()
        self.ended.set()
        self._waiters: list[_Waiter] = []

    @property
    def identifier(self) -> str:
        return self.record.identifier

    @property
    def phase(self) -> ContainerPhase:
        if self.removing:
            return "removing"
        if self.running:
            return "paused" if self.paused else "running"
        if self.restarting is not None:
            return "restarting"
        return "exited" if self.record.end.started else "created"

    def state(self) -> ContainerState:
        """As an inspection shows it."""
        end = self.record.end
        return ContainerState(
            phase=self.phase,
            process=self.process if self.running else 0,
            exit_code=0 if self.running else end.exit_code,
            error=end.error,
            out_of_memory=not self.running and end.out_of_memory,
            started=self.started if self.running else end.started,
            finished=end.finished,
            health=self.health,
        )

    def change(self, **changes: object) -> ContainerRecord:
        """Put values into the record, which is to be saved then."""
        self.record = msgspec.structs.replace(self.record, **changes)
        return self.record

    def until(self, condition: WaitCondition) -> asyncio.Future[WaitResult]:
        """Done when the condition comes true; at once when it is so already."""
        future: asyncio.Future[WaitResult] = asyncio.get_running_loop().create_future()
        if condition == "not-running" and not self.running and self.restarting is None:
            future.set_result(self._result())
        else:
            self._waiters.append(_Waiter(condition, future))
        return future

    def tell_end(self) -> None:
        """A run has ended."""
        self._tell(("not-running", "next-exit"))

    def tell_removal(self) -> None:
        """The container is no more."""
        self._tell(("not-running", "next-exit", "removed"))

    def _tell(self, conditions: tuple[WaitCondition, ...]) -> None:
        kept = []
        for waiter in self._waiters:
            if waiter.condition not in conditions:
                kept.append(waiter)
            elif not waiter.future.done():
                # Who waits for the removal has been told by whoever failed to start it.
                told = self._result() if "removed" not in conditions else self._plain_result()
                waiter.future.set_result(told)
        self._waiters = [waiter for waiter in kept if not waiter.future.done()]

    def _plain_result(self) -> WaitResult:
        return WaitResult(self.record.end.exit_code)

    def _result(self) -> WaitResult:
        return WaitResult(self.record.end.exit_code, self.record.end.error)
