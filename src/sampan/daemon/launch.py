"""Starting an instance's supervisor in the background, and running single parts in front.

What the command line is given as its `Launcher`. Imports what it needs when it is called: the
command line must be quick to start.
"""

import os
import sys
from collections.abc import Mapping

from sampan.faces.cli.session import LaunchFailed
from sampan.foundation.settings import Instance

LISTENING_DESCRIPTOR = 3
_PROGRAMS = ("crun", "conmon")


class Launcher:
    """Everything happens on this machine."""

    def start(self, instance: Instance, nodes: int, environment: Mapping[str, str]) -> None:
        """See `sampan.faces.cli.session.Launcher`."""
        import shutil

        from sampan.daemon.log_files import log_folder
        from sampan.host.forking import spawn_detached

        missing = [name for name in _PROGRAMS if shutil.which(name) is None]
        if missing:
            raise LaunchFailed(
                f"{' and '.join(missing)} can't be found; "
                f"on Debian: apt-get install {' '.join(missing)} nftables"
            )
        folder = log_folder(instance)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        instance.state_folder.chmod(0o700)
        log = folder / "supervisor.log"
        reader, writer = os.pipe()
        spawn_detached(
            [sys.executable, "-m", "sampan.daemon", instance.name, str(nodes)],
            environment={**os.environ, **environment},
            output=log,
            inherited={LISTENING_DESCRIPTOR: writer},
        )
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            if not pipe.read():
                raise LaunchFailed(f"the supervisor did not start; its log is {log}")

    def sweep(self, instance: Instance) -> tuple[str, ...]:
        from sampan.daemon.sweep import sweep

        return sweep(instance)

    def serve(self, instance: Instance, environment: Mapping[str, str]) -> None:
        from sampan.daemon import private_bridge, server_process
        from sampan.foundation.telemetry import set_up_logging

        set_up_logging("server", sys.stderr)
        private_bridge.set_up(instance)
        server_process.run(instance, {**os.environ, **environment})

    def act_as_node(self, instance: Instance, number: int) -> None:
        from sampan.daemon import node_holder
        from sampan.foundation.telemetry import set_up_logging

        set_up_logging("holder", sys.stderr)
        node_holder.hold_with_engine(instance, number)
