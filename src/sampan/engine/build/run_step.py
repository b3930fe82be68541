"""RUN: a command in a container over the layers so far, without a monitor and without a log.

It gets what any container gets: the default capabilities and seccomp profile, namespaces of
its own, limits, and the network that the build asks for.
"""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from sampan.engine.build.contract import StepResources
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.mount_points import find_points, remove_points
from sampan.engine.configuration import ContainerConfiguration, Mount
from sampan.engine.contract import EngineError, InvalidConfiguration
from sampan.engine.images.documents import ExecutionConfiguration
from sampan.engine.networks.contract import AttachmentRequest, ContainerIdentity, Networks, Sandbox
from sampan.engine.runtime.host_facts import host_facts
from sampan.engine.runtime.oci_runtime import (
    ENVIRONMENT,
    OciRuntime,
    command_exit_code,
    refusal,
)
from sampan.engine.runtime.specification import runtime_specification
from sampan.engine.runtime.users import user_in_root
from sampan.engine.snapshots import overlay
from sampan.host import cgroups, paths, processes

_PIDS = 32_768
_HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
_RUNTIME_TARGETS = ("/dev", "/proc", "/sys")
_HOST_FILES = ("/etc/hosts", "/etc/resolv.conf")

Output = Callable[[bytes, bool], None]
Tell = Callable[[str, Mapping[str, str]], None]


class RunCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command over `root`. `environment` comes on top of the image's; `shown` is how errors
    name it."""

    root: Path
    arguments: tuple[str, ...]
    shown: str
    execution: ExecutionConfiguration
    environment: dict[str, str]
    mounts: tuple[Mount, ...] = ()
    network: str
    extra_hosts: tuple[str, ...] = ()
    resources: StepResources = StepResources()
    cgroup_parent: str = ""


class StepRunner:
    """Runs the commands of builds; `run_folder` is its own.

    Without `networks` a command has the host's network or none.
    """

    def __init__(
        self,
        run_folder: Path,
        cgroup: str,
        runtime_program: str,
        networks: Networks | None = None,
    ) -> None:
        self.folder = run_folder
        self._bundles = run_folder / "bundles"
        self._cgroup = cgroup
        self._runtime = OciRuntime(runtime_program, run_folder / "runtime")
        self._networks = networks
        self._control_groups = cgroups.control_groups()

    async def recover(self) -> None:
        """End what an interrupted process left running. Raises EngineError, OSError."""
        self._bundles.mkdir(parents=True, exist_ok=True, mode=0o700)
        for bundle in self._bundles.iterdir():
            await self._runtime.delete(bundle.name)
            if self._networks is not None:
                await self._networks.release(bundle.name)
            overlay.remove_snapshot(bundle)

    @staticmethod
    def new_identifier() -> str:
        return secrets.token_hex(32)

    async def run(
        self, command: RunCommand, identifier: str, on_output: Output, tell: Tell
    ) -> list[str]:
        """The folders in the root that mounts were put into. `tell` is told what happens.

        Raises BuildFailed with the command's exit code, EngineError, OSError.
        """
        tell("attach", {})
        bundle = self._bundles / identifier
        bundle.mkdir(mode=0o700)
        try:
            async with self._network(command, identifier, bundle) as sandbox:
                return await self._run_in(
                    command, identifier, bundle, sandbox, on_output, tell=tell
                )
        finally:
            await self._runtime.delete(identifier)
            overlay.remove_snapshot(bundle)

    async def _run_in(
        self,
        command: RunCommand,
        identifier: str,
        bundle: Path,
        sandbox: Sandbox,
        on_output: Output,
        *,
        tell: Tell,
    ) -> list[str]:
        configuration = self._configuration(command, identifier, sandbox)
        document = runtime_specification(
            configuration,
            msgspec.structs.replace(command.execution, entrypoint=None, cmd=None),
            user_in_root(command.root, command.execution.user, ()),
            host_facts(self._control_groups),
            root=str(command.root),
            cgroup=f"{command.cgroup_parent.strip('/') or self._cgroup}/{identifier}",
        )
        (bundle / "config.json").write_bytes(msgspec.json.encode(document))
        with paths.opened_folder(command.root) as root:
            targets = [mount.target for mount in configuration.mounts]
            points = find_points(root, (*_RUNTIME_TARGETS, *targets))
            try:
                log = bundle / "log"
                words = ("--log", str(log), "run", "--bundle", str(bundle), identifier)
                tell("start", {})
                exit_code = await _run(self._runtime.command(*words), on_output)
                tell("die", {"exitCode": str(exit_code)})
            finally:
                await asyncio.to_thread(remove_points, root, points)
        if exit_code != 0:
            raise _failure(command, exit_code, log.read_text() if log.exists() else "")
        return list(points.folders)

    def _configuration(
        self, command: RunCommand, identifier: str, sandbox: Sandbox
    ) -> ContainerConfiguration:
        resources = command.resources
        limits = resources.limits
        files = tuple(
            Mount(source=source, target=target, recursive=False)
            for source, target in (
                (sandbox.hosts_path, "/etc/hosts"),
                (sandbox.resolver_path, "/etc/resolv.conf"),
                (sandbox.hostname_path, "/etc/hostname"),
            )
            if source
        )
        configuration = ContainerConfiguration(
            name=identifier[:12],
            image="",
            command=command.arguments,
            environment=command.environment,
            hostname=identifier[:12],
            mounts=(*files, *command.mounts),
            limits=limits if limits.pids else msgspec.structs.replace(limits, pids=_PIDS),
            resource_limits=resources.resource_limits,
            cgroup_parent=self._cgroup,
            network_namespace=sandbox.namespace,
            log_path="",
        )
        if not resources.shared_memory:
            return configuration
        return msgspec.structs.replace(configuration, shared_memory_size=resources.shared_memory)

    @asynccontextmanager
    async def _network(
        self, command: RunCommand, identifier: str, bundle: Path
    ) -> AsyncIterator[Sandbox]:
        if self._networks is None:
            yield _plain_sandbox(command, identifier, bundle)
            return
        identity = ContainerIdentity(
            identifier=identifier, name=identifier[:12], hostname=identifier[:12]
        )
        request = AttachmentRequest(
            identity=identity, mode=command.network, extra_hosts=command.extra_hosts
        )
        sandbox = await self._networks.attach(request)
        try:
            yield sandbox
        finally:
            await self._networks.release(identifier)


def _plain_sandbox(command: RunCommand, identifier: str, bundle: Path) -> Sandbox:
    shares = command.network == "host"
    if not shares and command.network not in ("default", "none"):
        raise InvalidConfiguration(f"network {command.network} not found")
    hosts = bundle / "hosts"
    more = [f"{address}\t{name}" for name, _, address in _split_hosts(command.extra_hosts)]
    base = Path(_HOST_FILES[0]).read_text() if shares else _HOSTS
    hosts.write_text(base + "".join(f"{line}\n" for line in more))
    return Sandbox(
        identifier=identifier,
        namespace="host" if shares else "",
        hosts_path=str(hosts),
        resolver_path=_HOST_FILES[1] if shares else "",
        hostname_path="",
    )


def _split_hosts(entries: tuple[str, ...]) -> list[tuple[str, str, str]]:
    return [entry.replace("=", ":", 1).partition(":") for entry in entries]


async def _run(command: tuple[str, ...], on_output: Output) -> int:
    """The exit code."""
    out, out_writer = _pipe()
    error, error_writer = _pipe()
    readers = [
        processes.PipeReader(out, lambda piece: on_output(piece, False)),
        processes.PipeReader(error, lambda piece: on_output(piece, True)),
    ]
    try:
        try:
            child = await processes.spawn(
                command, environment=ENVIRONMENT, stdout=out_writer, stderr=error_writer
            )
        finally:
            os.close(out_writer)
            os.close(error_writer)
        try:
            exit_code = await child.wait()
        except BaseException:
            child.signal(signal.SIGKILL)
            raise
    finally:
        for reader in readers:
            reader.finish()
    return exit_code


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(reader, False)
    return reader, writer


def _failure(command: RunCommand, exit_code: int, told: str) -> EngineError:
    """`told` is what the runtime itself had to say."""
    refused = command_exit_code(told)
    if refused:
        return BuildFailed(refusal(command.arguments[0], refused))
    return BuildFailed(
        f"The command '{command.shown}' returned a non-zero code: {exit_code}",
        exit_code=exit_code,
    )
