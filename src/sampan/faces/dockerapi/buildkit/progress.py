"""A build's events as BuildKit tells them: vertexes, their logs and their states."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable

from sampan.engine.build.contract import (
    BuildEnded,
    BuildEvent,
    BuildTagged,
    Step,
    StepEnded,
    StepOutput,
    StepPulling,
    StepStarted,
    TaskEnded,
    TaskTold,
)
from sampan.foundation.wire import protobuf_fields as protobuf

_SHOWN = ("FROM", "RUN", "COPY", "ADD", "WORKDIR")
_VERTEXES, _STATUSES, _LOGS = 1, 2, 3
_KEPT = 100_000
_EXPORT = "exporting to image"


class SolveProgress:
    """What a build has told so far, for everyone who asks; `clock` gives seconds."""

    def __init__(self, reference: str, clock: Callable[[], float]) -> None:
        self._reference = reference
        self._clock = clock
        self._told: list[bytes] = []
        self._news = asyncio.Event()
        self._ended = False
        self._started: dict[str, float] = {}
        self._shown: dict[tuple[str, str], str] = {}

    def take(self, event: BuildEvent) -> None:
        match event:
            case StepStarted() if event.step.name in _SHOWN:
                self._started[_key(event.step)] = self._clock()
                self._tell(protobuf.message(_VERTEXES, self._vertex(event.step)))
            case StepOutput() if event.step.name in _SHOWN:
                stream = 2 if event.is_error_output else 1
                self._tell(protobuf.message(_LOGS, self._log(event.step, stream, event.data)))
            case StepPulling():
                self._tell(protobuf.message(_STATUSES, self._pulling(event)))
            case StepEnded() if event.step.name in _SHOWN:
                vertex = self._vertex(event.step, event)
                self._shown[event.step.platform, event.step.stage] = _key(event.step)
                self._tell(protobuf.message(_VERTEXES, vertex))
            case TaskTold():
                self._task(event.name, event.status)
            case TaskEnded():
                self._task_ended(event)
            case BuildEnded():
                self._task(_EXPORT, f"writing image {event.identifier}")
            case BuildTagged():
                self._task(_EXPORT, f"naming to {event.name}")

    def finish(self) -> None:
        if _EXPORT in self._started and not self._ended:
            self._task_ended(TaskEnded(_EXPORT))
        self._ended = True
        self._news.set()

    async def messages(self) -> AsyncIterator[bytes]:
        """Every StatusResponse from the beginning to the end of the build."""
        position = 0
        while True:
            while position < len(self._told):
                position += 1
                yield self._told[position - 1]
            if self._ended:
                return
            self._news.clear()
            await self._news.wait()

    def _tell(self, message: bytes) -> None:
        if len(self._told) < _KEPT:
            self._told.append(message)
        self._news.set()

    def _digest(self, name: str) -> str:
        return "sha256:" + hashlib.sha256(f"{self._reference}\0{name}".encode()).hexdigest()

    def _vertex(self, step: Step, ended: StepEnded | None = None) -> bytes:
        before = self._shown.get((step.platform, step.stage))
        parts = [protobuf.text(1, self._digest(_key(step)))]
        if before is not None and before != _key(step):
            parts.append(protobuf.text(2, self._digest(before)))
        parts.append(protobuf.text(3, f"[{_label(step)}] {step.text}"))
        parts.append(protobuf.integer(4, ended is not None and ended.is_cached))
        parts.append(protobuf.timestamp(5, self._started.get(_key(step), 0)))
        if ended is not None:
            parts.append(protobuf.timestamp(6, self._clock()))
            parts.append(protobuf.text(7, ended.error))
        return b"".join(parts)

    def _log(self, step: Step, stream: int, said: bytes) -> bytes:
        return (
            protobuf.text(1, self._digest(_key(step)))
            + protobuf.timestamp(2, self._clock())
            + protobuf.integer(3, stream)
            + protobuf.data(4, said)
        )

    def _pulling(self, event: StepPulling) -> bytes:
        progress = event.progress
        now = self._clock()
        is_done = bool(progress.total) and progress.current >= progress.total
        return (
            protobuf.text(1, f"{progress.identifier} {progress.status}".strip())
            + protobuf.text(2, self._digest(_key(event.step)))
            + protobuf.text(3, progress.status)
            + protobuf.integer(4, progress.current)
            + protobuf.integer(5, progress.total)
            + protobuf.timestamp(6, now)
            + protobuf.timestamp(7, now)
            + (protobuf.timestamp(8, now) if is_done else b"")
        )

    def _task(self, name: str, status: str) -> None:
        now = self._clock()
        self._started.setdefault(name, now)
        message = protobuf.message(_VERTEXES, self._task_vertex(name))
        if status:
            message += protobuf.message(_STATUSES, self._task_status(name, status, now))
        self._tell(message)

    def _task_ended(self, event: TaskEnded) -> None:
        vertex = self._task_vertex(event.name, self._clock(), event.error)
        self._tell(protobuf.message(_VERTEXES, vertex))

    def _task_vertex(self, name: str, ended: float = 0, error: str = "") -> bytes:
        return (
            protobuf.text(1, self._digest(name))
            + protobuf.text(3, name)
            + protobuf.timestamp(5, self._started[name])
            + protobuf.timestamp(6, ended)
            + protobuf.text(7, error)
        )

    def _task_status(self, name: str, status: str, now: float) -> bytes:
        return (
            protobuf.text(1, status)
            + protobuf.text(2, self._digest(name))
            + protobuf.timestamp(6, now)
            + protobuf.timestamp(7, now)
            + protobuf.timestamp(8, now)
        )


def _key(step: Step) -> str:
    return f"{step.platform} {step.number}"


def _label(step: Step) -> str:
    stage = f"stage-{step.stage}" if step.stage.isdecimal() else step.stage
    shown = stage if step.has_siblings or not step.stage.isdecimal() else ""
    place = f"{step.place}/{step.places}"
    return " ".join(part for part in (step.platform, shown, place) if part)
