"""Building one stage: its instructions in order, each a change of metadata or a layer."""

import asyncio
import os
import posixpath
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

from sampan.engine.build import arguments, copying, history
from sampan.engine.build.cache_mounts import CacheMounts
from sampan.engine.build.contract import (
    BuildProgress,
    ClientSources,
    StageEnded,
    Step,
    StepContainer,
    StepEnded,
    StepOutput,
    StepStarted,
)
from sampan.engine.build.copy_step import CopyStep, parse_copy
from sampan.engine.build.dockerfile import Instruction, parse_dockerfile
from sampan.engine.build.download import download
from sampan.engine.build.errors import BuildFailed, InvalidDockerfile
from sampan.engine.build.heredoc import parse_heredoc
from sampan.engine.build.layering import Layering
from sampan.engine.build.metadata import (
    CHANGES,
    Scope,
    change_of,
    command_line,
    required,
    shell_of,
    variables_of,
    working_folder,
)
from sampan.engine.build.patterns import parse_ignore_rules
from sampan.engine.build.plan import BuildPlan
from sampan.engine.build.run_mounts import RunMount, parse_run_mounts
from sampan.engine.build.run_step import RunCommand, StepRunner
from sampan.engine.build.source_tree import SourceTree, digest_of_source
from sampan.engine.build.stage_state import StageState
from sampan.engine.build.stages import Stage
from sampan.engine.build.step_mounts import MountMaker
from sampan.engine.build.tree_copy import make_folders
from sampan.engine.build.workspace import View, Workspace
from sampan.engine.configuration import Mount
from sampan.host import paths

_SCRIPTS = "/dev/pipes"


class Origins(Protocol):
    """Where a stage's files come from, besides the context."""

    async def start(self, stage: Stage, step: Step) -> StageState: ...

    async def layers(self, name: str, stage: Stage, line: int) -> tuple[str, ...] | Path:
        """The diff_ids of a stage or an image, unpacked; or a folder (a named context)."""


class StageParts(msgspec.Struct, frozen=True, kw_only=True):
    plan: BuildPlan
    layering: Layering
    workspace: Workspace
    caches: CacheMounts
    runner: StepRunner
    running: asyncio.Semaphore
    progress: BuildProgress
    sources: ClientSources | None
    origins: Origins


class _Done(msgspec.Struct, frozen=True):
    is_cached: bool = False
    container: str = ""


class StageBuilder:
    def __init__(self, stage: Stage, parts: StageParts) -> None:
        self._stage = stage
        self._parts = parts
        self._plan = parts.plan
        self._escape = parts.plan.dockerfile.escape
        wanted = parts.plan.request
        self._use_cache = wanted.use_cache and stage.label not in wanted.uncached_stages
        self.consumed: set[str] = set()

    async def build(self) -> StageState:
        """Raises BuildFailed, EngineError, OSError."""
        steps = self._plan.steps[self._stage.number]
        state = await self._begin(steps[0])
        for step, instruction in zip(steps[1:], self._stage.instructions, strict=True):
            await self._told(step, state, partial(self._located, state, instruction, step))
        self._parts.progress(StageEnded(self._stage.label, state.identifier()))
        return state

    async def _begin(self, step: Step) -> StageState:
        self._parts.progress(StepStarted(step))
        try:
            state = await self._parts.origins.start(self._stage, step)
        except Exception as error:
            self._parts.progress(StepEnded(step=step, error=str(error)))
            raise
        triggers = state.execution.on_build or ()
        if triggers:
            plural = "" if len(triggers) == 1 else "s"
            told = f"# Executing {len(triggers)} build trigger{plural}\n"
            self._parts.progress(StepOutput(step, told.encode()))
            state.execution = msgspec.structs.replace(state.execution, on_build=None)
            for text in triggers:
                for instruction in parse_dockerfile(text).instructions:
                    await self._located(state, instruction, step)
        self._parts.progress(StepEnded(step=step, identifier=state.identifier()))
        return state

    async def _told(
        self, step: Step, state: StageState, act: Callable[[], Awaitable[_Done]]
    ) -> None:
        progress = self._parts.progress
        progress(StepStarted(step))
        try:
            done = await act()
        except Exception as error:
            progress(StepEnded(step=step, error=str(error)))
            raise
        progress(
            StepEnded(
                step=step,
                identifier=state.identifier(),
                is_cached=done.is_cached,
                container=done.container,
            )
        )

    async def _located(self, state: StageState, instruction: Instruction, step: Step) -> _Done:
        try:
            return await self._apply(state, instruction, step)
        except BuildFailed as error:
            error.line = error.line or instruction.line
            raise

    async def _apply(self, state: StageState, instruction: Instruction, step: Step) -> _Done:
        scope = Scope(state.variables, self._escape)
        match instruction.name:
            case name if name in CHANGES:
                return await self._change(state, instruction, scope)
            case "ARG":
                return await self._argument(state, instruction, scope)
            case "MAINTAINER":
                state.author = required(instruction)
                return await self._plain(state, f"MAINTAINER {state.author}")
            case "WORKDIR":
                return await self._change_folder(state, instruction, scope)
            case "RUN":
                return await self._run(state, instruction, scope, step)
            case "COPY" | "ADD":
                return await self._copy(state, instruction, scope)
        raise InvalidDockerfile(f"unknown instruction: {instruction.name}", instruction.line)

    async def _plain(self, state: StageState, words: str) -> _Done:
        told = history.change_told(state.execution, words)
        return _Done(await self._parts.layering.change(state, told, use_cache=self._use_cache))

    async def _change(self, state: StageState, instruction: Instruction, scope: Scope) -> _Done:
        changed = change_of(state.execution, instruction, scope)
        execution = changed.execution
        if instruction.name == "ENTRYPOINT" and not state.sets_command:
            execution = msgspec.structs.replace(execution, cmd=None)
        state.sets_command = state.sets_command or instruction.name == "CMD"
        state.execution = execution
        return await self._plain(state, changed.told)

    async def _argument(self, state: StageState, instruction: Instruction, scope: Scope) -> _Done:
        plan = self._plan
        automatic = {**plan.automatic, "TARGETSTAGE": self._stage.name or str(self._stage.number)}
        inherited = {**automatic, **plan.stages.arguments}
        found = arguments.declared(
            instruction, plan.given, inherited, scope.variables, scope.escape
        )
        self.consumed.update(found)
        state.arguments |= {name: value for name, value in found.items() if value is not None}
        shown = arguments.defaults(instruction, scope.variables, scope.escape)
        return await self._plain(state, arguments.told(shown))

    async def _change_folder(
        self, state: StageState, instruction: Instruction, scope: Scope
    ) -> _Done:
        text = scope.expand(required(instruction), instruction.line)
        folder = working_folder(state.execution, text)
        state.execution = msgspec.structs.replace(state.execution, working_dir=folder)

        async def make(view: View) -> None:
            with paths.opened_folder(view.root) as root:
                os.close(make_folders(root, folder))

        told = history.files_told(state.execution, f"WORKDIR {folder}", f"WORKDIR {folder}")
        told = history.Told(told.classic, f"WORKDIR {folder}")
        return await self._layer(state, told, ("WORKDIR", folder), make)

    async def _layer(
        self,
        state: StageState,
        told: history.Told,
        inputs: tuple[object, ...],
        make: Callable[[View], Awaitable[None]],
        *,
        independent: bool = False,
    ) -> _Done:
        taken = await self._parts.layering.add(
            state, told, inputs, make, use_cache=self._use_cache, independent=independent
        )
        return _Done(taken)

    # RUN

    async def _run(
        self, state: StageState, instruction: Instruction, scope: Scope, step: Step
    ) -> _Done:
        network = self._network(instruction)
        mounts = parse_run_mounts(
            instruction,
            lambda text: scope.expand(text, instruction.line),
            working_folder(state.execution, ""),
        )
        command, script = _run_command(instruction, state)
        seen = self._seen(state)
        told = history.run_told(command, seen)
        container = self._parts.runner.new_identifier()
        ran = False

        async def make(view: View) -> None:
            nonlocal ran
            ran = True
            self._parts.progress(StepContainer(step, container))
            async with (
                self._parts.running,
                MountMaker(
                    self._parts.workspace,
                    self._parts.caches,
                    self._parts.sources,
                    lambda name: self._root_of(name, instruction.line),
                    instruction.line,
                ).made(mounts) as made,
                self._script(script) as scripts,
            ):
                request = self._plan.request
                wanted = RunCommand(
                    root=view.root,
                    arguments=command,
                    shown=" ".join(command),
                    execution=state.execution,
                    environment=self._environment(state) | made.environment,
                    mounts=(*made.mounts, *scripts),
                    network=network,
                    extra_hosts=request.extra_hosts,
                    resources=request.resources,
                    cgroup_parent=request.cgroup_parent,
                )
                view.touched.extend(
                    await self._parts.runner.run(
                        wanted,
                        container,
                        lambda data, is_error: self._parts.progress(
                            StepOutput(step, data, is_error)
                        ),
                    )
                )

        inputs = (
            "RUN",
            command,
            script,
            state.execution.env,
            seen,
            state.execution.user,
            state.execution.working_dir,
            network,
            self._plan.request.extra_hosts,
            await self._mount_inputs(mounts, instruction.line),
        )
        done = await self._layer(state, told, inputs, make)
        return msgspec.structs.replace(done, container=container if ran else "")

    def _network(self, instruction: Instruction) -> str:
        for flag, _ in instruction.flags:
            if flag not in ("mount", "network", "security", "device"):
                raise InvalidDockerfile(f"unknown flag: --{flag[:60]}", instruction.line)
        security = instruction.flag("security")
        if security not in ("", "sandbox"):
            raise BuildFailed(f"security.{security[:40]} is not allowed", instruction.line)
        if instruction.flag("device"):
            raise BuildFailed("devices are not given to builds", instruction.line)
        wanted = self._plan.request.network or "default"
        network = instruction.flag("network") or "default"
        if network not in ("default", "none", "host"):
            raise InvalidDockerfile(f'invalid network mode "{network[:40]}"', instruction.line)
        if network == "host" and wanted != "host":
            raise BuildFailed("network.host is not allowed", instruction.line)
        return wanted if network == "default" else network

    def _seen(self, state: StageState) -> list[str]:
        """The build arguments that the command can see and that count: `A=b`."""
        hidden = variables_of(state.execution).keys() | arguments.UNDECLARED
        return [
            f"{name}={value}"
            for name, value in sorted(state.arguments.items())
            if name not in hidden
        ]

    def _environment(self, state: StageState) -> dict[str, str]:
        given = {
            name: value
            for name, value in self._plan.given.items()
            if name in arguments.UNDECLARED and value is not None
        }
        return given | state.variables

    async def _mount_inputs(self, mounts: tuple[RunMount, ...], line: int) -> list[object]:
        """What of the mounts a step depends on: contents of `bind`, the rest as it is written."""
        inputs: list[object] = []
        for mount in mounts:
            inputs.append(msgspec.to_builtins(mount))
            if mount.kind != "bind":
                continue
            if mount.origin:
                inputs.append(await self._parts.origins.layers(mount.origin, self._stage, line))
                if isinstance(inputs[-1], Path):
                    inputs[-1] = str(inputs[-1])
            else:
                inputs.append(await asyncio.to_thread(self._context_digest, mount.source, line))
        return inputs

    def _context_digest(self, source: str, line: int) -> str:
        with paths.opened_folder(self._plan.context) as root:
            tree = SourceTree(root, self._plan.ignored)
            path = posixpath.normpath(source or ".").strip("/").removeprefix(".")
            if not tree.matches(path):
                raise BuildFailed(f"failed to mount {source[:200]}: not found", line)
            return digest_of_source(tree, path)

    @asynccontextmanager
    async def _root_of(self, name: str, line: int) -> AsyncIterator[Path]:
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

    @asynccontextmanager
    async def _script(self, script: tuple[str, str] | None) -> AsyncIterator[tuple[Mount, ...]]:
        if script is None:
            yield ()
            return
        name, text = script
        async with self._parts.workspace.scratch() as folder:
            file = folder / "script"
            file.write_bytes(text.encode("utf-8", "surrogateescape"))
            file.chmod(0o755)
            yield (Mount(source=str(file), target=f"{_SCRIPTS}/{name}", read_only=True),)

    # COPY and ADD

    async def _copy(self, state: StageState, instruction: Instruction, scope: Scope) -> _Done:
        step = parse_copy(instruction, state.execution, scope)
        async with AsyncExitStack() as stack:
            tree = await stack.enter_async_context(self._tree(step))
            gathered = await self._gathered(stack, step)
            found = await asyncio.to_thread(copying.find, step, tree, gathered)

            async def make(view: View) -> None:
                accounts = view.root
                if step.links and step.owner:
                    below = await stack.enter_async_context(
                        self._parts.workspace.view(state.diff_ids)
                    )
                    accounts = below.root
                await asyncio.to_thread(
                    copying.copy, step, found, view.root, accounts, self._plan.latest
                )

            told = history.files_told(
                state.execution,
                f"{step.name} {copying.hash_told(found)} in {step.destination} ",
                instruction.original,
            )
            inputs = (
                step.name,
                step.destination,
                step.folder_wanted,
                step.owner,
                step.mode.text if step.mode is not None else "",
                step.links,
                [(one.path, one.kept, one.digest, one.is_archive) for one in found],
            )
            return await self._layer(state, told, inputs, make, independent=step.links)

    @asynccontextmanager
    async def _tree(self, step: CopyStep) -> AsyncIterator[SourceTree]:
        rules = parse_ignore_rules("\n".join(step.excluded))
        if not step.origin:
            with paths.opened_folder(self._plan.context) as root:
                yield SourceTree(root, (*self._plan.ignored, *rules))
            return
        async with self._root_of(step.origin, step.line) as path:
            with paths.opened_folder(path) as root:
                yield SourceTree(root, rules)

    async def _gathered(self, stack: AsyncExitStack, step: CopyStep) -> SourceTree | None:
        """What stands in the Dockerfile, or behind URLs, as files of one folder."""
        if not (step.files or step.urls):
            return None
        folder = await stack.enter_async_context(self._parts.workspace.scratch())
        for file in step.files:
            (folder / file.name).write_bytes(file.content)
            (folder / file.name).chmod(0o644)
        for url in step.urls:
            await download(url, folder, step.checksum)
        return SourceTree(stack.enter_context(paths.opened_folder(folder)))


def _run_command(
    instruction: Instruction, state: StageState
) -> tuple[tuple[str, ...], tuple[str, str] | None]:
    """The command line, and the script (name, text) that a here-document with `#!` is."""
    if not instruction.text:
        raise InvalidDockerfile("RUN requires at least one argument", instruction.line)
    heredocs = instruction.heredocs
    if not heredocs or instruction.json_form() is not None:
        return command_line(instruction, state.execution), None
    first = heredocs[0]
    if parse_heredoc(instruction.text) is not None:
        if first.text.startswith("#!"):
            return (f"{_SCRIPTS}/{first.name}",), (first.name, first.text)
        return (*shell_of(state.execution), first.text), None
    whole = instruction.text + "".join(f"\n{one.content}{one.name}" for one in heredocs)
    return (*shell_of(state.execution), whole), None
