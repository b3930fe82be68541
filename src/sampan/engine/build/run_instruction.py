"""RUN: what its command is, what it depends on, and running it."""

import asyncio
import os
import posixpath
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from sampan.engine.build import arguments, history
from sampan.engine.build.contract import Step, StepOutput
from sampan.engine.build.dockerfile import Instruction
from sampan.engine.build.errors import BuildFailed, InvalidDockerfile
from sampan.engine.build.heredoc import parse_heredoc
from sampan.engine.build.metadata import (
    Scope,
    check_flags,
    command_line,
    shell_of,
    variables_of,
    working_folder,
)
from sampan.engine.build.run_mounts import RunMount, parse_run_mounts
from sampan.engine.build.run_step import RunCommand
from sampan.engine.build.source_tree import SourceTree, digest_of_source
from sampan.engine.build.stage_parts import StageParts, StageRoots
from sampan.engine.build.stage_state import StageState
from sampan.engine.build.stages import Stage
from sampan.engine.build.step_mounts import MountMaker
from sampan.engine.build.tree_copy import make_folders
from sampan.engine.build.workspace import View
from sampan.engine.configuration import Mount
from sampan.engine.volumes.content import copy_content
from sampan.host import paths

_SCRIPTS = "/dev/pipes"
_INTERPRETERS = Path("/proc/sys/fs/binfmt_misc")
_ALSO_RUN = {"amd64": ("386",), "arm64": ("arm",)}


class RunInstruction:
    def __init__(self, stage: Stage, parts: StageParts, *, use_cache: bool) -> None:
        self._stage = stage
        self._parts = parts
        self._plan = parts.plan
        self._roots = StageRoots(stage, parts)
        self._use_cache = use_cache

    async def apply(
        self, state: StageState, instruction: Instruction, scope: Scope, step: Step
    ) -> bool:
        network = self._network(instruction)
        mounts = parse_run_mounts(
            instruction,
            lambda text: scope.expand(text, instruction.line),
            working_folder(state.execution, ""),
        )
        command, script = _run_command(instruction, state)
        seen = self._seen(state)
        told = history.run_told(command, seen)
        image = state.identifier()

        async def make(view: View) -> None:
            _check_architecture(state.platform.architecture, self._plan.machine.architecture)
            async with (
                self._parts.running,
                MountMaker(
                    self._parts.workspace,
                    self._parts.caches,
                    self._parts.sources,
                    lambda name: self._roots.root_of(name, instruction.line),
                    instruction.line,
                ).made(mounts) as made,
                self._script(script) as scripts,
                self._volumes(state, view) as volumes,
            ):
                request = self._plan.request
                wanted = RunCommand(
                    root=view.root,
                    arguments=command,
                    shown=" ".join(command),
                    execution=state.execution,
                    environment=self._environment(state) | made.environment,
                    mounts=(*volumes, *made.mounts, *scripts),
                    network=network,
                    extra_hosts=request.extra_hosts,
                    resources=request.resources,
                    cgroup_parent=request.cgroup_parent,
                )
                with self._parts.containers.living(step, image, state.execution) as (name, tell):
                    view.touched.extend(
                        await self._parts.runner.run(
                            wanted,
                            name,
                            lambda data, is_error: self._parts.progress(
                                StepOutput(step, data, is_error)
                            ),
                            tell,
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
            *self._passing(state),
        )
        return await self._parts.layering.add(state, told, inputs, make, use_cache=self._use_cache)

    def _network(self, instruction: Instruction) -> str:
        check_flags(instruction)
        security = instruction.flag("security")
        if security not in ("", "sandbox"):
            raise BuildFailed(f"security.{security[:40]} is not allowed", instruction.line)
        if instruction.flag("device"):
            raise BuildFailed("devices are not given to builds", instruction.line)
        wanted = self._plan.request.network or "default"
        network = instruction.flag("network") or "default"
        if network not in ("default", "none", "host"):
            raise InvalidDockerfile(f'invalid network mode "{network[:40]}"', instruction.line)
        is_allowed = wanted == "host" or self._plan.request.allows_host_network
        if network == "host" and not is_allowed:
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

    def _passing(self, state: StageState) -> tuple[str, ...]:
        """The image's volumes, which the containers of the classic builder have: what a command
        writes there is gone with its container. Builds like BuildKit's keep it."""
        if self._parts.images is None:
            return ()
        named = (posixpath.normpath(f"/{name}") for name in state.execution.volumes or ())
        return tuple(sorted({f"/{name.lstrip('/')}" for name in named}))

    @asynccontextmanager
    async def _volumes(self, state: StageState, view: View) -> AsyncIterator[tuple[Mount, ...]]:
        """Volumes with what the image has in their places; these are made where they aren't."""
        targets = self._passing(state)
        if not targets:
            yield ()
            return
        async with self._parts.workspace.scratch() as folder:
            made = []
            with paths.opened_folder(view.root) as root:
                for number, target in enumerate(targets):
                    place = folder / str(number)
                    place.mkdir(mode=0o755)
                    origin = make_folders(root, target)
                    try:
                        await asyncio.to_thread(copy_content, f"/proc/self/fd/{origin}", place)
                    finally:
                        os.close(origin)
                    made.append(Mount(source=str(place), target=target, recursive=False))
            yield tuple(made)

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


def _check_architecture(wanted: str, machine: str) -> None:
    """Raises BuildFailed for one whose programs this machine doesn't run."""
    if wanted in ("", machine, *_ALSO_RUN.get(machine, ())):
        return
    if any(_INTERPRETERS.glob("qemu-*")):
        return  # the kernel has some to hand such programs to
    raise BuildFailed(
        f"a command for {wanted} can't be run on {machine}: no emulator is registered with the "
        "kernel (binfmt_misc)"
    )


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
