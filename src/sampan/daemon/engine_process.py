"""The engine's process: the machine's one image store, and the machine's own containers."""

import asyncio
import os

from sampan.daemon import groups, node_space
from sampan.daemon.event_loop import run_until_terminated
from sampan.daemon.log_files import log_to_file
from sampan.engine.daemon import run_engine
from sampan.foundation.settings import Instance
from sampan.host.cgroups import control_groups
from sampan.host.forking import set_process_name


def run(instance: Instance) -> None:
    """Be the engine until SIGTERM; its containers run on."""
    set_process_name("sampan-engine")
    log_to_file(instance, "engine")
    machine = control_groups()
    group = groups.engine(instance)
    machine.create(group)
    node_space.enter_own_mounts(group, machine)
    machine.add_process(group, os.getpid())

    async def serve(stop: asyncio.Event) -> None:
        await run_engine(instance, stop)

    run_until_terminated(serve)
