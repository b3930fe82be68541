"""RUN: a command in a container over the layers so far, without a monitor and without a log.

It gets what any container gets: the default capabilities and seccomp profile, namespaces of
its own, and the network that the build allows.
"""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from sampan.engine.build.errors import BuildFailed
from sampan.engine.configuration import ContainerConfiguration, Limits, Mount
from sampan.engine.images.documents import ExecutionConfiguration
from sampan.engine.runtime.host_facts import host_facts
from sampan.engine.runtime.oci_runtime import ENVIRONMENT, OciRuntime
from sampan.engine.runtime.specification import runtime_specification
from sampan.engine.runtime.users import user_in_root
from sampan.engine.snapshots import overlay
from sampan.host import cgroups, processes

_HOST_FILES = ("/etc/resolv.conf", "/etc/hosts")
_PIDS = 32_768


class StepRunner:
    """Runs the commands of builds; `run_folder` is its own."""

    def __init__(self, run_folder: Path, cgroup: str, runtime_program: str) -> None:
        self._bundles = run_folder / "bundles"
        self._cgroup = cgroup
        self._runtime = OciRuntime(runtime_program, run_folder / "runtime")
        self._control_groups = cgroups.control_groups()

    async def recover(self) -> None:
        """End what an interrupted process left running. Raises EngineError, OSError."""
        self._bundles.mkdir(parents=True, exist_ok=True, mode=0o700)
        for bundle in self._bundles.iterdir():
            await self._runtime.delete(bundle.name)
            overlay.remove_snapshot(bundle)

    async def run(
        self,
        root: Path,
        command: tuple[str, ...],
        execution: ExecutionConfiguration,
        variables: Mapping[str, str],
        *,
        network: str,
        on_output: Callable[[bytes], None],
    ) -> None:
        """Raises BuildFailed with the command's exit code, EngineError, OSError."""
        identifier = secrets.token_hex(8)
        bundle = self._bundles / identifier
        specification = runtime_specification(
            self._configuration(identifier, command, variables, network),
            msgspec.structs.replace(execution, entrypoint=None, cmd=None),
            user_in_root(root, execution.user, ()),
            host_facts(accounts_swap=self._control_groups.accounts_swap),
            root=str(root),
            cgroup=f"{self._cgroup}/{identifier}",
        )
        bundle.mkdir(mode=0o700)
        try:
            (bundle / "config.json").write_bytes(msgspec.json.encode(specification))
            result = await processes.run(
                self._runtime.command("run", "--bundle", str(bundle), identifier),
                environment=ENVIRONMENT,
                on_output=on_output,
            )
        finally:
            await self._runtime.delete(identifier)
            overlay.remove_snapshot(bundle)
        if result.exit_code != 0:
            shown = " ".join(command)[:200]
            raise BuildFailed(f"the command {shown!r} ended with exit code {result.exit_code}")

    def _configuration(
        self, identifier: str, command: tuple[str, ...], variables: Mapping[str, str], network: str
    ) -> ContainerConfiguration:
        shares_network = network == "host"
        host_files = tuple(Mount(source=path, target=path, read_only=True) for path in _HOST_FILES)
        return ContainerConfiguration(
            name=identifier,
            image="",
            command=command,
            environment=dict(variables),
            hostname="build",
            mounts=host_files if shares_network else (),
            limits=Limits(pids=_PIDS),
            cgroup_parent=self._cgroup,
            network_namespace="host" if shares_network else "",
            log_path="",
        )
