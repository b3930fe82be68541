"""The engine's process: the machine's one image store, and the machine's own containers."""

import asyncio
import logging
import os

from sampan.daemon import groups, node_space
from sampan.daemon.docker_face import docker_server
from sampan.daemon.engine_facts import engine_facts
from sampan.daemon.event_loop import run_until_terminated
from sampan.daemon.log_files import log_to_file
from sampan.engine.machine import open_machine
from sampan.engine.private_server import private_server
from sampan.faces.dockerapi.facts import Facts
from sampan.foundation.settings import Instance
from sampan.host.cgroups import control_groups
from sampan.host.forking import set_process_name

_log = logging.getLogger(__name__)


async def serve_engine(instance: Instance, facts: Facts, stop: asyncio.Event) -> None:
    """Open the machine's engine and serve both its sockets until `stop`.

    The private one is there last: who finds it finds everything. Raises OSError, EngineError.
    """
    machine = await open_machine(instance, os.environ)
    docker = docker_server(instance, machine, facts, os.environ)
    nodes = private_server(instance, machine)
    try:
        await docker.start()
        await nodes.start()
        _log.info("the engine answers in %s", instance.run_folder)
        await stop.wait()
    finally:
        await nodes.stop()
        await docker.stop()
        await machine.close()


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
