"""Building one stage: its instructions in order, each a change of metadata or a layer."""

import os
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from sampan.engine.build import arguments, history
from sampan.engine.build.contract import (
    InstructionEnded,
    Step,
    StepEnded,
    StepOutput,
    StepStarted,
)
from sampan.engine.build.copy_instruction import CopyInstruction
from sampan.engine.build.dockerfile import Instruction, parse_dockerfile
from sampan.engine.build.errors import BuildFailed, InvalidDockerfile
from sampan.engine.build.metadata import (
    CHANGES,
    Scope,
    change_of,
    required,
    variables_of,
    working_folder,
)
from sampan.engine.build.run_instruction import RunInstruction
from sampan.engine.build.stage_parts import StageParts
from sampan.engine.build.stage_state import StageState
from sampan.engine.build.stages import Stage
from sampan.engine.build.tree_copy import make_folders
from sampan.engine.build.workspace import View
from sampan.engine.runtime.specification import DEFAULT_PATH
from sampan.host import paths

# RUN has one that it runs in; what copies files never had any.
_WITH_OTHER_CONTAINERS = ("RUN", "COPY", "ADD")


class StageBuilder:
    def __init__(self, stage: Stage, parts: StageParts) -> None:
        self._stage = stage
        self._parts = parts
        self._plan = parts.plan
        self._escape = parts.plan.dockerfile.escape
        wanted = parts.plan.request
        self._use_cache = wanted.use_cache and stage.label not in wanted.uncached_stages
        self._runs = RunInstruction(stage, parts, use_cache=self._use_cache)
        self._copies = CopyInstruction(stage, parts, use_cache=self._use_cache)
        self.consumed: set[str] = set()

    async def build(self) -> StageState:
        """Raises BuildFailed, EngineError, OSError."""
        first, *others = self._plan.steps[self._stage.number]
        state = StageState(platform=self._plan.platform)

        async def begin() -> bool:
            nonlocal state
            state = await self._begin(first)
            return False

        await self._told(first, begin, lambda: state, ends_stage=not others)
        for step, instruction in zip(others, self._stage.instructions, strict=True):
            await self._told(
                step,
                partial(self._located, state, instruction, step),
                lambda: state,
                ends_stage=step is others[-1],
            )
        return state

    async def _begin(self, step: Step) -> StageState:
        state = await self._parts.origins.start(self._stage, step)
        if "PATH" not in variables_of(state.execution):
            env = (*(state.execution.env or ()), f"PATH={DEFAULT_PATH}")
            state.execution = msgspec.structs.replace(state.execution, env=env)
        triggers = state.execution.on_build or ()
        if triggers:
            plural = "" if len(triggers) == 1 else "s"
            told = f"# Executing {len(triggers)} build trigger{plural}\n"
            self._parts.progress(StepOutput(step, told.encode()))
            state.execution = msgspec.structs.replace(state.execution, on_build=None)
            for text in triggers:
                for instruction in parse_dockerfile(text).instructions:
                    await self._located(state, instruction, step)
        return state

    async def _told(
        self,
        step: Step,
        act: Callable[[], Awaitable[bool]],
        state: Callable[[], StageState],
        *,
        ends_stage: bool,
    ) -> None:
        progress = self._parts.progress
        progress(StepStarted(step))
        try:
            is_cached = await act()
        except Exception as error:
            progress(StepEnded(step=step, error=str(error)))
            raise
        progress(
            StepEnded(
                step=step,
                identifier=state().identifier(),
                is_cached=is_cached,
                ends_stage=ends_stage,
            )
        )

    async def _located(self, state: StageState, instruction: Instruction, step: Step) -> bool:
        """Whether an earlier result was taken."""
        parent = state.identifier()
        try:
            is_cached = await self._apply(state, instruction, step)
        except BuildFailed as error:
            error.line = error.line or instruction.line
            raise
        images = self._parts.images
        if images is not None:
            if not is_cached and instruction.name not in _WITH_OTHER_CONTAINERS:
                with self._parts.containers.living(step, parent, state.execution):
                    pass  # nothing runs in it
            images.add(state, parent)
        self._parts.progress(InstructionEnded(step, is_cached))
        return is_cached

    async def _apply(self, state: StageState, instruction: Instruction, step: Step) -> bool:
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
                return await self._runs.apply(state, instruction, scope, step)
            case "COPY" | "ADD":
                return await self._copies.apply(state, instruction, scope)
        raise InvalidDockerfile(f"unknown instruction: {instruction.name}", instruction.line)

    async def _plain(self, state: StageState, words: str) -> bool:
        told = history.change_told(state.execution, words)
        return await self._parts.layering.change(state, told, use_cache=self._use_cache)

    async def _change(self, state: StageState, instruction: Instruction, scope: Scope) -> bool:
        changed = change_of(state.execution, instruction, scope)
        execution = changed.execution
        if instruction.name == "ENTRYPOINT" and not state.sets_command:
            execution = msgspec.structs.replace(execution, cmd=None)
        state.sets_command = state.sets_command or instruction.name == "CMD"
        state.execution = execution
        return await self._plain(state, changed.told)

    async def _argument(self, state: StageState, instruction: Instruction, scope: Scope) -> bool:
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
    ) -> bool:
        text = scope.expand(required(instruction), instruction.line)
        folder = working_folder(state.execution, text)
        state.execution = msgspec.structs.replace(state.execution, working_dir=folder)

        async def make(view: View) -> None:
            with paths.opened_folder(view.root) as root:
                os.close(make_folders(root, folder))

        classic = history.files_told(state.execution, f"WORKDIR {folder}", "").classic
        told = history.Told(classic, f"WORKDIR {folder}")
        inputs = ("WORKDIR", folder)
        return await self._parts.layering.add(state, told, inputs, make, use_cache=self._use_cache)
