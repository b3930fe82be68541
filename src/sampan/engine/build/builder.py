"""Building one plan: its stages side by side, each once, and the image of the last.

A stage begins at once and waits where it needs another. When one fails, the others are ended.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from sampan.engine.build.arguments import unconsumed
from sampan.engine.build.cache import BuildCache, CachedStep
from sampan.engine.build.cache_exchange import CacheImports
from sampan.engine.build.cache_mounts import CacheMounts
from sampan.engine.build.contract import (
    BuildProgress,
    BuildWarning,
    ClientSources,
    DockerfileWarnings,
    Step,
    StepEnded,
    StepPulling,
    StepStarted,
)
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.layering import Layering
from sampan.engine.build.named_contexts import context_key
from sampan.engine.build.plan import BuildPlan
from sampan.engine.build.run_step import StepRunner
from sampan.engine.build.stage_builder import StageBuilder
from sampan.engine.build.stage_parts import StageParts
from sampan.engine.build.stage_state import StageState, state_of_image
from sampan.engine.build.stages import SCRATCH, Stage
from sampan.engine.build.step_containers import PublishContainer, StepContainers
from sampan.engine.build.step_images import StepImages
from sampan.engine.build.workspace import Workspace
from sampan.engine.contract import EngineError, ImageNotFound, NotFound
from sampan.engine.images.contract import Images
from sampan.engine.images.documents import Platform
from sampan.engine.images.layers import chain_identifiers
from sampan.engine.images.pins import PinSet
from sampan.engine.images.platforms import fits, parse_platform, platform_text
from sampan.engine.images.reference import DEFAULT_REGISTRY, InvalidReference, parse_reference
from sampan.engine.images.store import ImageStore, StoredImage

_RUNNING_AT_ONCE = 4


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What every build of a machine works with; without `images` nothing is pulled."""

    store: ImageStore
    images: Images | None
    cache: BuildCache
    caches: CacheMounts
    runner: StepRunner
    clock: Callable[[], float]
    publish: PublishContainer | None


class Builder:
    """`contexts` are folders by the names that the request gives them; `donors` are names of
    images that may lend layers. `used` gets the records of the cache that the steps need,
    `images`, for the classic builder alone, those of the steps."""

    def __init__(
        self,
        plan: BuildPlan,
        surroundings: Surroundings,
        *,
        workspace: Workspace,
        pins: PinSet,
        contexts: Mapping[str, Path],
        progress: BuildProgress,
        sources: ClientSources | None,
        imports: CacheImports,
        donors: Sequence[str],
        used: dict[str, CachedStep],
        images: StepImages | None,
    ) -> None:
        self._plan = plan
        self._around = surroundings
        self._workspace = workspace
        self._pins = pins
        self._contexts = contexts
        self._progress = progress
        self._sources = sources
        self._tasks: dict[int, asyncio.Task[StageState]] = {}
        self._builders: list[StageBuilder] = []
        self._pulled: dict[str, asyncio.Task[StoredImage]] = {}
        self._parts: StageParts | None = None
        self._imports = imports
        self._donor_names = donors
        self._images = images
        self.used = used

    async def build(self) -> StageState:
        """Raises BuildFailed, EngineError, OSError."""
        self._declare()
        layering = Layering(
            self._around.store,
            self._workspace,
            self._around.cache,
            self._imports,
            donors=await self._donors(),
            style=self._plan.request.history,
            latest=self._plan.latest,
            clock=self._around.clock,
            used=self.used,
        )
        self._parts = StageParts(
            plan=self._plan,
            layering=layering,
            workspace=self._workspace,
            caches=self._around.caches,
            runner=self._around.runner,
            running=asyncio.Semaphore(_RUNNING_AT_ONCE),
            progress=self._progress,
            sources=self._sources,
            origins=self,
            containers=StepContainers(
                self._progress, self._around.publish if self._images is not None else None
            ),
            images=self._images,
        )
        try:
            await _until_one_fails([self._task(stage) for stage in self._plan.needed])
            return await self._task(self._plan.target)
        finally:
            await _end([*self._tasks.values(), *self._pulled.values()])
            self._warn()

    def _declare(self) -> None:
        if self._plan.dockerfile.warnings:
            self._progress(DockerfileWarnings(self._plan.dockerfile.warnings))
        for step in self._plan.steps[-1]:
            self._progress(StepStarted(step))
            self._progress(StepEnded(step=step, has_image=False))

    def _warn(self) -> None:
        consumed = {name for builder in self._builders for name in builder.consumed}
        consumed.update(self._plan.stages.arguments, self._plan.automatic)
        left = unconsumed(self._plan.request.build_arguments, consumed)
        if left:
            names = " ".join(left)
            self._progress(BuildWarning(f"One or more build-args [{names}] were not consumed"))

    def _task(self, stage: Stage) -> asyncio.Task[StageState]:
        task = self._tasks.get(stage.number)
        if task is None:
            assert self._parts is not None
            builder = StageBuilder(stage, self._parts)
            self._builders.append(builder)
            task = asyncio.get_running_loop().create_task(builder.build())
            self._tasks[stage.number] = task
        return task

    async def start(self, stage: Stage, step: Step) -> StageState:
        """What a stage begins with; a stage's own platform is that of its image."""
        earlier = self._plan.stages.find(stage.base, stage.number)
        if earlier is not None:
            return (await asyncio.shield(self._task(self._needed(earlier)))).following()
        platform = self._platform(stage)
        if stage.base == SCRATCH:
            return StageState(platform=platform)
        image = await self._image(stage.base, platform, stage.start.line, step)
        return state_of_image(image)

    async def layers(self, name: str, stage: Stage, line: int) -> tuple[str, ...] | Path:
        """Implements Origins."""
        folder = self._contexts.get(name) or self._contexts.get(context_key(name))
        if folder is not None:
            return folder
        earlier = self._plan.stages.find(name, stage.number)
        if earlier is not None:
            done = await asyncio.shield(self._task(self._needed(earlier)))
            return tuple(done.diff_ids)
        wrong = f"invalid from flag value {name}"
        if name.isdecimal():
            raise BuildFailed(f"{wrong}: index out of bounds", line)
        step = self._plan.steps[stage.number][0]
        image = self._plan.request.named_images.get(context_key(name), name)
        try:
            return (await self._image(image, self._platform(stage), line, step)).diff_ids
        except BuildFailed as error:
            raise BuildFailed(f"{wrong}: {error}", line) from error

    def _needed(self, stage: Stage) -> Stage:
        return next((one for one in self._plan.needed if one.number == stage.number), stage)

    def _platform(self, stage: Stage) -> Platform:
        return parse_platform(stage.platform) if stage.platform else self._plan.platform

    async def _image(self, name: str, platform: Platform, line: int, step: Step) -> StoredImage:
        key = f"{name} {platform_text(platform)}"
        task = self._pulled.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._resolve(name, platform, step))
            self._pulled[key] = task
        try:
            return await asyncio.shield(task)
        except (NotFound, InvalidReference) as error:
            raise BuildFailed(str(error), line) from error

    async def _resolve(self, name: str, platform: Platform, step: Step) -> StoredImage:
        image = None if self._plan.request.pull else self._local(name, platform)
        if image is None:
            image = await self._pull(name, platform, step)
        self._pins.add(*image.needed, *chain_identifiers(image.diff_ids))
        await self._around.store.unpack(image)
        return image

    def _local(self, name: str, platform: Platform) -> StoredImage | None:
        try:
            image = self._around.store.resolve(name)
        except ImageNotFound:
            return None
        found = image.configuration
        offered = Platform(found.architecture, found.os, found.variant)
        return image if fits(offered, platform) or self._around.images is None else None

    async def _pull(self, name: str, platform: Platform, step: Step) -> StoredImage:
        if self._around.images is None:
            return self._around.store.resolve(name)
        credentials = None
        if self._sources is not None:
            registry = parse_reference(name).repository.partition("/")[0] or DEFAULT_REGISTRY
            credentials = await self._sources.credentials(registry)
        await self._around.images.pull(
            name,
            platform=platform_text(platform),
            credentials=credentials,
            progress=lambda progress: self._progress(StepPulling(step, progress)),
        )
        return self._around.store.resolve(name)

    async def _donors(self) -> list[StoredImage]:
        """The images of `--cache-from`; one that can't be had is no hindrance."""
        donors = []
        for name in self._donor_names:
            step = self._plan.steps[self._plan.needed[0].number][0]
            try:
                donors.append(await self._resolve(name, self._plan.platform, step))
            except EngineError as error:
                self._progress(BuildWarning(f"no cache from {name}: {error}"))
        return donors


async def _until_one_fails(tasks: list[asyncio.Task[StageState]]) -> None:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        if task in done:
            task.result()


async def _end(tasks: list[asyncio.Task[StageState] | asyncio.Task[StoredImage]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
