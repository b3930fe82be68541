"""The machine's builds: requests taken, images named, caches kept within bounds."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec

from sampan.engine.build.builder import Builder, Surroundings
from sampan.engine.build.cache import BuildCache, CachedStep
from sampan.engine.build.cache_exchange import CacheImports
from sampan.engine.build.cache_mounts import CacheMounts
from sampan.engine.build.cache_transfer import CacheTransfers
from sampan.engine.build.contexts import opened_context
from sampan.engine.build.contract import (
    BuildProgress,
    BuildRequest,
    BuildResult,
    CachePruned,
    CacheRecord,
    ClientSources,
    Context,
)
from sampan.engine.build.delivery import Built, Delivery
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.outputs import ArchiveOutput, StoreOutput
from sampan.engine.build.plan import read_plan
from sampan.engine.build.run_step import StepRunner
from sampan.engine.build.stage_state import StageState
from sampan.engine.build.step_containers import PublishContainer
from sampan.engine.build.step_images import StepImages
from sampan.engine.build.workspace import Workspace, clear_workspaces
from sampan.engine.contract import EngineError, InvalidConfiguration
from sampan.engine.images.contract import Images
from sampan.engine.images.reference import InvalidReference, parse_reference
from sampan.engine.images.registry.registries import Registries
from sampan.engine.images.store import ImageStore

CACHE_LIMIT = 20 << 30


class MachineBuilds:
    """Implements the contract's Builds. `clock` gives seconds since the epoch; `publish` is told
    what happens to the containers of steps."""

    def __init__(
        self,
        store: ImageStore,
        runner: StepRunner,
        images: Images | None = None,
        registries: Registries | None = None,
        *,
        cache_limit: int = CACHE_LIMIT,
        clock: Callable[[], float] = time.time,
        publish: PublishContainer | None = None,
    ) -> None:
        folder = store.folder / "build-cache"
        self._store = store
        self._images = images
        self._registries = registries
        self._runner = runner
        self._workspaces = store.folder / "builds"
        self._cache = BuildCache(folder / "steps", store.pinned, store.blobs.has)
        self._caches = CacheMounts(folder / "mounts")
        self._cache_limit = cache_limit
        self._clock = clock
        self._publish = publish
        self._running: list[Builder] = []

    async def recover(self) -> None:
        """Clear away what an interrupted process left. Raises EngineError, OSError."""
        await self._runner.recover()
        clear_workspaces(self._workspaces)

    async def build(
        self,
        request: BuildRequest,
        context: Context,
        progress: BuildProgress,
        sources: ClientSources | None = None,
    ) -> BuildResult:
        _check_names(request)
        async with AsyncExitStack() as stack:
            pins = stack.enter_context(self._store.pinned())
            workspace = Workspace(self._workspaces, self._store, pins)
            folder = await stack.enter_async_context(opened_context(context, workspace))
            contexts = {
                name: await stack.enter_async_context(opened_context(more, workspace))
                for name, more in request.named_contexts.items()
            }
            plans = [
                await asyncio.to_thread(read_plan, request, folder, platform)
                for platform in request.platforms or ("",)
            ]
            transfers = CacheTransfers(
                self._store,
                self._registries,
                request,
                sources=sources,
                pins=pins,
                progress=progress,
            )
            imports = CacheImports(self._store, self._cache, pins, self._clock)
            donors = [*request.cache_from, *await transfers.open_imports(stack, imports)]
            built, used = [], dict[str, CachedStep]()
            images = StepImages(self._store, pins) if request.history == "classic" else None
            for plan in plans:
                builder = Builder(
                    plan,
                    self._surroundings(),
                    workspace=workspace,
                    pins=pins,
                    contexts=contexts,
                    progress=progress,
                    sources=sources,
                    imports=imports,
                    donors=donors,
                    used=used,
                    images=images,
                )
                self._running.append(builder)
                stack.callback(self._running.remove, builder)
                built.append(Built(await self._built(builder, images), plan.latest))
            delivery = Delivery(
                self._store,
                self._images,
                request,
                workspace=workspace,
                pins=pins,
                progress=progress,
                sources=sources,
            )
            result = await delivery.deliver(built)
            layers = tuple(diff_id for each in built for diff_id in each.state.diff_ids)
            written = await transfers.export(used, layers)
        await self._shrink()
        return msgspec.structs.replace(result, cache=written)

    async def _built(self, builder: Builder, images: StepImages | None) -> StageState:
        """The images of the steps stay when one of them failed: they can be looked into."""
        try:
            state = await builder.build()
        except (EngineError, OSError):
            if images is not None:
                await images.keep()
            raise
        if images is not None:
            await images.keep()
            if not state.identifier():
                raise BuildFailed("No image was generated. Is your Dockerfile empty?")
        return state

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            store=self._store,
            images=self._images,
            cache=self._cache,
            caches=self._caches,
            runner=self._runner,
            clock=self._clock,
            publish=self._publish,
        )

    async def cache_usage(self) -> list[CacheRecord]:
        folders = await asyncio.to_thread(lambda: list(self._caches.folders()))
        in_use = {key for builder in self._running for key in builder.used}
        identifiers = {chain: key for key, step in self._cache.steps() if (chain := step.chain)}
        records = [
            CacheRecord(
                identifier=_short(key),
                parents=(_short(identifiers[step.below]),) if step.below in identifiers else (),
                kind="regular",
                description=step.told,
                is_in_use=key in in_use,
                is_shared=self._is_shared(step.diff_id),
                size=step.size,
                created=step.made,
                last_used=step.used,
                uses=step.uses,
            )
            for key, step in self._cache.steps()
        ]
        records += [
            CacheRecord(
                identifier=_short(hashlib.sha256(folder.name.encode()).hexdigest()),
                kind="exec.cachemount",
                description=f"cached mount {folder.identifier}",
                is_in_use=folder.is_in_use,
                size=folder.size,
                created=folder.made,
                last_used=folder.used,
                uses=1,
            )
            for folder in folders
        ]
        return records

    def _is_shared(self, diff_id: str) -> bool:
        """Whether an image has the layer, so that removing the record frees nothing."""
        return bool(diff_id) and any(diff_id in image.diff_ids for image in self._store.distinct())

    async def prune_cache(
        self,
        *,
        is_wanted: Callable[[CacheRecord], bool] = lambda _: False,
        keep_bytes: int = 0,
    ) -> CachePruned:
        records = await self.cache_usage()
        total = sum(record.size for record in records)
        pruned, space = [], 0
        steps = {_short(key): key for key, _ in self._cache.steps()}
        for record in sorted(records, key=lambda record: record.last_used):
            if keep_bytes and total <= keep_bytes:
                break
            if record.is_in_use or is_wanted(record):
                continue
            if record.identifier in steps:
                self._cache.discard(steps[record.identifier])
            else:
                await asyncio.to_thread(self._discard_folder, record.identifier)
            total -= record.size
            space += record.size
            pruned.append(record.identifier)
        await self._store.collect()
        return CachePruned(tuple(pruned), space)

    def _discard_folder(self, identifier: str) -> None:
        for folder in self._caches.folders():
            if _short(hashlib.sha256(folder.name.encode()).hexdigest()) == identifier:
                self._caches.discard(folder.name)

    async def _shrink(self) -> None:
        if sum(step.size for _, step in self._cache.steps()) > self._cache_limit:
            await self.prune_cache(keep_bytes=self._cache_limit)


def _check_names(request: BuildRequest) -> None:
    for output in request.outputs:
        for name in output.names if isinstance(output, StoreOutput | ArchiveOutput) else ():
            try:
                if parse_reference(name).digest:
                    raise InvalidConfiguration("refusing to create a tag with a digest reference")
            except InvalidReference as error:
                raise InvalidConfiguration(str(error)) from error


def _short(key: str) -> str:
    return key[:25]
