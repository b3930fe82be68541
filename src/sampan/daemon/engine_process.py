"""The engine's process: the machine's one image store, and the machine's own containers."""

import asyncio
import os

from sampan.daemon import groups, node_space
from sampan.daemon.docker_face import docker_server
from sampan.daemon.engine_facts import engine_facts
from sampan.daemon.event_loop import run_until_terminated
from sampan.daemon.log_files import log_to_file
from sampan.engine.daemon import running_engine
from sampan.faces.dockerapi.facts import Facts
from sampan.foundation.settings import Instance
from sampan.host.cgroups import control_groups
from sampan.host.forking import set_process_name


async def serve_engine(instance: Instance, facts: Facts, stop: asyncio.Event) -> None:
    """Be both faces of the engine until `stop`. Raises OSError, EngineError."""
    async with running_engine(instance) as machine:
        docker = docker_server(instance, machine, facts, os.environ)
        await docker.start()
        try:
            await stop.wait()
        finally:
            await docker.stop()


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
        await serve_engine(instance, engine_facts(instance, machine), stop)

    run_until_terminated(serve)
