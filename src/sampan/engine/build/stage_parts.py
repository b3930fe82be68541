"""What the instructions of a stage work with, and the roots that they take files from."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from sampan.engine.build import copying
from sampan.engine.build.cache_mounts import CacheMounts
from sampan.engine.build.contract import BuildProgress, ClientSources, Step
from sampan.engine.build.layering import Layering
from sampan.engine.build.plan import BuildPlan
from sampan.engine.build.run_step import StepRunner
from sampan.engine.build.stage_state import StageState
from sampan.engine.build.stages import Stage
from sampan.engine.build.step_containers import StepContainers
from sampan.engine.build.step_images import StepImages
from sampan.engine.build.workspace import Workspace


class Origins(Protocol):
    """Where a stage's files come from, besides the context."""

    async def start(self, stage: Stage, step: Step) -> StageState: ...

    async def layers(self, name: str, stage: Stage, line: int) -> tuple[str, ...] | Path:
        """The diff_ids of a stage or an image, unpacked; or a folder (a named context)."""


class StageParts(msgspec.Struct, frozen=True, kw_only=True):
    """`images` takes those of the steps; without it they leave none, nor do any but RUN have a
    container."""

    plan: BuildPlan
    layering: Layering
    workspace: Workspace
    caches: CacheMounts
    runner: StepRunner
    running: asyncio.Semaphore
    progress: BuildProgress
    sources: ClientSources | None
    origins: Origins
    containers: StepContainers
    images: StepImages | None


class StageRoots:
    """The roots that one stage can name."""

    def __init__(self, stage: Stage, parts: StageParts) -> None:
        self._stage = stage
        self._parts = parts
        self._plan = parts.plan

    @asynccontextmanager
    async def root_of(self, name: str, line: int) -> AsyncIterator[Path]:
        """The root of a stage, image or named context; "" is the build's context."""
        if not name:
            async with self._context_root() as path:
                yield path
            return
        found = await self._parts.origins.layers(name, self._stage, line)
        if isinstance(found, Path):
            yield found
            return
        async with self._parts.workspace.view(found) as view:
            yield view.root

    @asynccontextmanager
    async def _context_root(self) -> AsyncIterator[Path]:
        """The context without what its .dockerignore leaves out."""
        if not self._plan.ignored:
            yield self._plan.context
            return
        async with self._parts.workspace.scratch() as folder:
            await asyncio.to_thread(
                copying.copy_tree, self._plan.context, self._plan.ignored, folder
            )
            yield folder
