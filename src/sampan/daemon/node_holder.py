"""The process that holds a node: its namespaces live as long as it does.

It forks the node's agent and restarts it, and is the parent of whatever loses its own; in a
node that is a host of its own it is the first process, whose end is the end of all others.
At SIGHUP it has the agent start anew, with the node's share of the machine as it is now; at
SIGTERM it ends the agent, stops the node's containers, and ends.
"""

import logging
import os
import signal
from collections.abc import Callable

from sampan.daemon import groups, log_files, node_space
from sampan.daemon.dispatcher import Dispatcher
from sampan.daemon.node_list import MACHINE_NODE, node_name
from sampan.daemon.process_records import ProcessRecords
from sampan.daemon.supervised import Supervised
from sampan.foundation.settings import Instance
from sampan.host import forking
from sampan.host.cgroups import control_groups

_log = logging.getLogger(__name__)


def start(instance: Instance, number: int, *, server: int) -> int:
    """Fork the holder of a node and return its process id. Raises OSError.

    `server` is a descriptor whose end of file tells that the server takes requests.
    """
    if number == MACHINE_NODE:
        return forking.fork(lambda: _hold_machine(instance, server), keep=(server,))
    reader, writer = os.pipe()
    try:
        forking.fork(
            lambda: _fork_first_process(instance, number, server, writer), keep=(server, writer)
        )
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read()
    if not answer:
        raise OSError(f"the namespaces of {node_name(number)} could not be made")
    return int(answer)


def _fork_first_process(instance: Instance, number: int, server: int, writer: int) -> None:
    """unshare(2) gives a process namespace to children only, hence a fork in between."""
    _join_group(instance, number)
    node_space.leave_machine(instance, number)

    def first() -> None:
        _log_to_file(instance, number)
        node_space.become_first_process()
        _hold(instance, number, server)

    os.write(writer, str(forking.fork(first, keep=(server,))).encode())


def _hold_machine(instance: Instance, server: int) -> None:
    _log_to_file(instance, MACHINE_NODE)
    _share_machine(instance, MACHINE_NODE)
    _hold(instance, MACHINE_NODE, server)


def hold_with_engine(instance: Instance, number: int) -> None:
    """Be the holder of a node that shares the machine's network, and of an engine that ends
    with it, until SIGTERM; the caller has set up its log."""
    from sampan.daemon import engine_process

    instance.run_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = forking.fork(lambda: engine_process.run(instance), die_with_parent=True)
    _share_machine(instance, number)
    _hold(instance, number, None)
    os.kill(engine, signal.SIGTERM)


def _share_machine(instance: Instance, number: int) -> None:
    _join_group(instance, number)
    node_space.enter_own_mounts(groups.node_system(instance, number), control_groups())
    forking.adopt_orphans()


def _join_group(instance: Instance, number: int) -> None:
    machine = control_groups()
    group = groups.node_system(instance, number)
    machine.create(group)
    machine.add_process(group, os.getpid())


def _hold(instance: Instance, number: int, server: int | None) -> None:
    from sampan.daemon import agent_process

    forking.set_process_name(f"sampan-{node_name(number)}")
    dispatcher = Dispatcher()
    records = ProcessRecords(instance.run_folder / "nodes" / node_name(number) / "processes")

    def start_agent() -> int:
        return forking.fork(
            lambda: agent_process.run(instance, number, server=server),
            keep=() if server is None else (server,),
            die_with_parent=True,
        )

    def stop_containers() -> None:
        _run_once(dispatcher, lambda: agent_process.stop_containers(instance, number))

    agent = Supervised("agent", start_agent, dispatcher, records)
    dispatcher.on_signal(signal.SIGCHLD, _reap)
    dispatcher.on_signal(signal.SIGHUP, lambda: agent.send(signal.SIGTERM))
    dispatcher.on_signal(signal.SIGTERM, lambda: agent.end(signal.SIGTERM, stop_containers))
    agent.run()
    dispatcher.run()


def _log_to_file(instance: Instance, number: int) -> None:
    log_files.log_to_file(instance, log_files.node_component("holder", number))


def _reap() -> None:
    for process, status in forking.reap_children():
        _log.debug("process %d ended with %d", process, status)


def _run_once(dispatcher: Dispatcher, child: Callable[[], None]) -> None:
    """Fork `child`, and leave the dispatcher's loop when it has ended."""
    descriptor = os.pidfd_open(forking.fork(child, die_with_parent=True))
    dispatcher.on_readable(descriptor, dispatcher.stop)
