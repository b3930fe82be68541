"""Building an image: the stages in order, each instruction a change of metadata or a layer.

A step's layer is taken from an earlier build when all that it depends on is the same: the
layers below, the step itself, and the contents of what it copies. The result then has the same
digest to the last bit, since no time goes into it but those of its layers.
"""

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from sampan.engine.build import copy_step
from sampan.engine.build.cache import BuildCache, CachedLayer, cache_key
from sampan.engine.build.dockerfile import Dockerfile, Instruction
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.expansion import expand
from sampan.engine.build.metadata import (
    CHANGES,
    Scope,
    command_line,
    variables_of,
    working_folder,
)
from sampan.engine.build.patterns import IgnoreRule
from sampan.engine.build.run_step import StepRunner
from sampan.engine.build.source_tree import SourceTree
from sampan.engine.build.stages import SCRATCH, Stage, Stages, declared_arguments
from sampan.engine.build.tree_copy import make_folders
from sampan.engine.build.workspace import View, Workspace
from sampan.engine.contract import ImageNotFound
from sampan.engine.images.documents import (
    LAYER_TYPE,
    Descriptor,
    ExecutionConfiguration,
    History,
    ImageConfiguration,
    RootFilesystem,
    architecture_of,
)
from sampan.engine.images.layers import chain_identifiers
from sampan.engine.images.store import ImageStore, StoredImage
from sampan.host import paths

_EPOCH = "1970-01-01T00:00:00Z"
_HIDDEN_FROM_RUN = frozenset(("PATH",))

MakeLayer = Callable[[View], Awaitable[None]]


class BuildPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be built. `latest` is SOURCE_DATE_EPOCH, None when it is not set."""

    context: Path
    dockerfile: Dockerfile
    stages: Stages
    target: str
    build_arguments: dict[str, str]
    ignored: tuple[IgnoreRule, ...]
    use_cache: bool
    network: str
    latest: int | None


class _StageState(msgspec.Struct):
    """How far a stage has come. `blobs` may be compressed, `diff_ids` name what is in them."""

    execution: ExecutionConfiguration
    blobs: list[Descriptor]
    diff_ids: list[str]
    created: str
    history: list[History]
    arguments: dict[str, str]

    @property
    def variables(self) -> dict[str, str]:
        return self.arguments | variables_of(self.execution)


class Builder:
    """Builds one plan."""

    def __init__(
        self,
        plan: BuildPlan,
        store: ImageStore,
        *,
        workspace: Workspace,
        cache: BuildCache,
        runner: StepRunner,
        tell: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._store = store
        self._workspace = workspace
        self._cache = cache
        self._runner = runner
        self._tell = tell
        self._done: dict[int, _StageState] = {}

    async def build(self) -> str:
        """The digest of the new image's manifest. Raises BuildFailed, EngineError, OSError."""
        needed = self._plan.stages.needed(self._plan.target)
        for stage in needed:
            self._done[stage.number] = await self._build_stage(stage)
        state = self._done[needed[-1].number]
        configuration = ImageConfiguration(
            created=state.created,
            architecture=architecture_of(platform.machine()),
            os="linux",
            config=state.execution,
            rootfs=RootFilesystem(diff_ids=tuple(state.diff_ids)),
            history=tuple(state.history),
        )
        return await self._workspace.keep_image(configuration, state.blobs)

    async def _build_stage(self, stage: Stage) -> _StageState:
        self._tell(f"FROM {stage.base}" + (f" AS {stage.name}" if stage.name else ""))
        state = await self._start_of(stage)
        for instruction in stage.instructions:
            try:
                await self._apply(state, instruction, stage)
            except BuildFailed as error:
                if str(error).startswith("line "):
                    raise
                raise BuildFailed(str(error), instruction.line) from error
        return state

    async def _start_of(self, stage: Stage) -> _StageState:
        earlier = self._plan.stages.find(stage.base, stage.number)
        if earlier is not None:
            done = self._done[earlier.number]
            return msgspec.structs.replace(
                done,
                blobs=[*done.blobs],
                diff_ids=[*done.diff_ids],
                history=[*done.history],
                arguments={},
            )
        if stage.base == SCRATCH:
            return _StageState(ExecutionConfiguration(), [], [], _EPOCH, [], {})
        image = await self._image(stage.base, stage.line)
        configuration = image.configuration
        return _StageState(
            execution=configuration.execution,
            blobs=[*image.manifest.layers],
            diff_ids=[*image.diff_ids],
            created=configuration.created or _EPOCH,
            history=[*configuration.history],
            arguments={},
        )

    async def _image(self, name: str, line: int) -> StoredImage:
        try:
            image = self._store.resolve(name)
        except ImageNotFound as error:
            raise BuildFailed(str(error), line) from error
        await self._store.unpack(image)
        return image

    async def _apply(self, state: _StageState, instruction: Instruction, stage: Stage) -> None:
        shown = f"{instruction.name} {instruction.text}"
        scope = Scope(state.variables, self._plan.dockerfile.escape)
        layers = len(state.diff_ids)
        change = CHANGES.get(instruction.name)
        if change is not None:
            self._tell(shown)
            state.execution = change(state.execution, instruction, scope)
        elif instruction.name == "ARG":
            given = self._plan.stages.arguments | self._plan.build_arguments
            state.arguments |= declared_arguments(instruction, given, scope.variables, scope.escape)
        elif instruction.name == "WORKDIR":
            await self._change_folder(state, instruction, scope)
        elif instruction.name == "RUN":
            await self._run(state, instruction)
        elif instruction.name == "COPY":
            await self._copy(state, instruction, scope, stage)
        else:
            raise BuildFailed(f"{instruction.name} is not supported", instruction.line)
        is_empty = len(state.diff_ids) == layers
        state.history.append(History(created_by=shown, empty_layer=is_empty))

    async def _change_folder(
        self, state: _StageState, instruction: Instruction, scope: Scope
    ) -> None:
        text = expand(instruction.text, scope.variables, scope.escape, instruction.line)
        folder = working_folder(state.execution, text)
        state.execution = msgspec.structs.replace(state.execution, working_dir=folder)

        async def make(view: View) -> None:
            with paths.opened_folder(view.root) as root:
                os.close(make_folders(root, folder))

        await self._layer(state, f"WORKDIR {folder}", ("WORKDIR", folder), make)

    async def _run(self, state: _StageState, instruction: Instruction) -> None:
        if instruction.flags:
            raise BuildFailed(f"RUN has no flag --{min(instruction.flags)}", instruction.line)
        command = command_line(instruction)
        variables = {
            name: value for name, value in state.variables.items() if name not in _HIDDEN_FROM_RUN
        }

        async def make(view: View) -> None:
            await self._runner.run(
                view.root,
                command,
                state.execution,
                variables,
                network=self._plan.network,
                on_output=lambda data: self._tell(data.decode(errors="replace").rstrip("\n")),
            )

        inputs = (
            "RUN",
            command,
            state.execution.env,
            sorted(state.arguments.items()),
            state.execution.user,
            state.execution.working_dir,
            self._plan.network,
        )
        await self._layer(state, f"RUN {instruction.text}", inputs, make)

    async def _copy(
        self, state: _StageState, instruction: Instruction, scope: Scope, stage: Stage
    ) -> None:
        step = copy_step.parse_copy(instruction, state.execution, scope)
        async with self._source(step, stage) as tree:
            found = await asyncio.to_thread(copy_step.digests, step, tree)

            async def make(view: View) -> None:
                sources = [path for path, _ in found]
                await asyncio.to_thread(
                    copy_step.copy, step, tree, sources, view.root, self._plan.latest
                )

            inputs = ("COPY", step.destination, step.folder_wanted, step.owner, step.mode, found)
            await self._layer(state, f"COPY {instruction.text}", inputs, make)

    @asynccontextmanager
    async def _source(self, step: copy_step.CopyStep, stage: Stage) -> AsyncIterator[SourceTree]:
        if not step.origin:
            with paths.opened_folder(self._plan.context) as root:
                yield SourceTree(root, self._plan.ignored)
            return
        earlier = self._plan.stages.find(step.origin, stage.number)
        if earlier is not None:
            diff_ids = tuple(self._done[earlier.number].diff_ids)
        else:
            diff_ids = (await self._image(step.origin, step.line)).diff_ids
        async with self._workspace.view(diff_ids) as view:
            with paths.opened_folder(view.root) as root:
                yield SourceTree(root)

    async def _layer(
        self, state: _StageState, shown: str, inputs: tuple[Any, ...], make: MakeLayer
    ) -> None:
        """Add the layer of a step, from the cache or by `make`."""
        below = chain_identifiers(state.diff_ids)[-1] if state.diff_ids else ""
        key = cache_key(below, self._plan.latest, inputs)
        cached = self._cached(key)
        if cached is not None:
            self._tell(f"{shown} (from the cache)")
        else:
            self._tell(shown)
            cached = await self._made(state, make)
            self._cache.keep(key, cached)
        if cached.diff_id:
            await self._workspace.unpack((*state.diff_ids, cached.diff_id))
            layer = Descriptor(media_type=LAYER_TYPE, digest=cached.diff_id, size=cached.size)
            state.blobs.append(layer)
            state.diff_ids.append(cached.diff_id)
            state.created = max(state.created, cached.created)

    def _cached(self, key: str) -> CachedLayer | None:
        found = self._cache.find(key) if self._plan.use_cache else None
        if found is not None and found.diff_id and not self._store.blobs.has(found.diff_id):
            return None
        return found

    async def _made(self, state: _StageState, make: MakeLayer) -> CachedLayer:
        async with self._workspace.view(state.diff_ids) as view:
            await make(view)
            layer = await self._workspace.keep(view, self._plan.latest)
        moment = (
            datetime.now(UTC)
            if self._plan.latest is None
            else datetime.fromtimestamp(self._plan.latest, UTC)
        )
        created = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        if layer is None:
            return CachedLayer("", 0, created)
        return CachedLayer(layer.digest, layer.size, created)
