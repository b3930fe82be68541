"""COPY and ADD: finding what they name, and adding it as a layer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sampan.engine.build import copying, history
from sampan.engine.build.copy_step import CopyStep, parse_copy
from sampan.engine.build.dockerfile import Instruction
from sampan.engine.build.download import download
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.metadata import Scope
from sampan.engine.build.patterns import parse_ignore_rules
from sampan.engine.build.source_tree import SourceTree
from sampan.engine.build.stage_parts import StageParts, StageRoots
from sampan.engine.build.stage_state import StageState
from sampan.engine.build.stages import Stage
from sampan.engine.build.workspace import View
from sampan.host import paths


class CopyInstruction:
    def __init__(self, stage: Stage, parts: StageParts, *, use_cache: bool) -> None:
        self._parts = parts
        self._plan = parts.plan
        self._roots = StageRoots(stage, parts)
        self._use_cache = use_cache

    async def apply(self, state: StageState, instruction: Instruction, scope: Scope) -> bool:
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
                f"{step.name} {_owner_told(step)}{copying.hash_told(found)} in {step.shown} ",
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
            return await self._parts.layering.add(
                state,
                told,
                inputs,
                make,
                use_cache=self._use_cache,
                independent=step.links,
            )

    @asynccontextmanager
    async def _tree(self, step: CopyStep) -> AsyncIterator[SourceTree]:
        rules = parse_ignore_rules("\n".join(step.excluded))
        if not step.origin:
            with paths.opened_folder(self._plan.context) as root:
                yield SourceTree(root, (*self._plan.ignored, *rules))
            return
        async with self._roots.root_of(step.origin, step.line) as path:
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
            try:
                await download(url, folder, step.checksum)
            except BuildFailed as error:
                raise step.fail(str(error)) from error
        return SourceTree(stack.enter_context(paths.opened_folder(folder)))


def _owner_told(step: CopyStep) -> str:
    """Docker leaves no blank behind it."""
    return f"--chown={step.owner}" if step.owner else ""
