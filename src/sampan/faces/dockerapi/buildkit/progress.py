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
)
from sampan.foundation.wire import protobuf_fields as protobuf

_SHOWN = ("FROM", "RUN", "COPY", "ADD", "WORKDIR")
_VERTEXES, _STATUSES, _LOGS = 1, 2, 3
_KEPT = 100_000


class SolveProgress:
    """What a build has told so far, for everyone who asks; `clock` gives seconds."""

    def __init__(self, reference: str, clock: Callable[[], float]) -> None:
        self._reference = reference
        self._clock = clock
        self._told: list[bytes] = []
        self._news = asyncio.Event()
        self._ended = False
        self._started: dict[int, float] = {}
        self._shown: dict[str, int] = {}
        self._export_started = 0.0

    def take(self, event: BuildEvent) -> None:
        match event:
            case StepStarted() if event.step.name in _SHOWN:
                self._started[event.step.number] = self._clock()
                self._tell(protobuf.message(_VERTEXES, self._vertex(event.step)))
            case StepOutput() if event.step.name in _SHOWN:
                stream = 2 if event.is_error_output else 1
                self._tell(protobuf.message(_LOGS, self._log(event.step, stream, event.data)))
            case StepPulling():
                self._tell(protobuf.message(_STATUSES, self._pulling(event)))
            case StepEnded() if event.step.name in _SHOWN:
                vertex = self._vertex(event.step, event)
                self._shown[event.step.stage] = event.step.number
                self._tell(protobuf.message(_VERTEXES, vertex))
            case BuildEnded():
                self._export_started = self._clock()
                self._export(f"writing image {event.identifier}")
            case BuildTagged():
                self._export(f"naming to {event.name}")

    def finish(self) -> None:
        if self._export_started and not self._ended:
            self._tell(protobuf.message(_VERTEXES, self._export_vertex(ended=self._clock())))
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
        before = self._shown.get(step.stage)
        parts = [protobuf.text(1, self._digest(str(step.number)))]
        if before is not None and before != step.number:
            parts.append(protobuf.text(2, self._digest(str(before))))
        parts.append(protobuf.text(3, f"[{_label(step)}{step.number}/{step.total}] {step.text}"))
        parts.append(protobuf.integer(4, ended is not None and ended.is_cached))
        parts.append(protobuf.timestamp(5, self._started.get(step.number, 0)))
        if ended is not None:
            parts.append(protobuf.timestamp(6, self._clock()))
            parts.append(protobuf.text(7, ended.error))
        return b"".join(parts)

    def _log(self, step: Step, stream: int, said: bytes) -> bytes:
        return (
            protobuf.text(1, self._digest(str(step.number)))
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
            + protobuf.text(2, self._digest(str(event.step.number)))
            + protobuf.text(3, progress.status)
            + protobuf.integer(4, progress.current)
            + protobuf.integer(5, progress.total)
            + protobuf.timestamp(6, now)
            + protobuf.timestamp(7, now)
            + (protobuf.timestamp(8, now) if is_done else b"")
        )

    def _export_vertex(self, ended: float = 0) -> bytes:
        return (
            protobuf.text(1, self._digest("export"))
            + protobuf.text(3, "exporting to image")
            + protobuf.timestamp(5, self._export_started)
            + protobuf.timestamp(6, ended)
        )

    def _export(self, said: str) -> None:
        now = self._clock()
        status = (
            protobuf.text(1, said)
            + protobuf.text(2, self._digest("export"))
            + protobuf.timestamp(6, now)
            + protobuf.timestamp(7, now)
            + protobuf.timestamp(8, now)
        )
        self._tell(
            protobuf.message(_VERTEXES, self._export_vertex()) + protobuf.message(_STATUSES, status)
        )


def _label(step: Step) -> str:
    return "" if step.stage.isdecimal() else f"{step.stage} "
