"""The supervisor: starts an instance's processes, restarts what ends, answers the command line.

It has one thread and no event loop, since it forks for as long as it lives. It holds no state
that a successor could not find: roles stand in process records, nodes in the node list.
What each process does is not known here; `processes.Processes` starts them.
"""

import logging
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

from sampan.daemon.control_socket import ControlSocket, Demand, Reply
from sampan.daemon.dispatcher import Dispatcher
from sampan.daemon.log_files import log_folder
from sampan.daemon.node_list import (
    MACHINE_NODE,
    MOST_NODES,
    NodeEntry,
    NodeList,
    NoSuchNode,
    node_list_path,
)
from sampan.daemon.process_records import ProcessRecords
from sampan.daemon.processes import Processes
from sampan.daemon.supervised import Supervised
from sampan.foundation.instance_name import command_prefix
from sampan.foundation.settings import Instance
from sampan.host import forking

SERVER = "server"
ENGINE = "engine"
_STOP_SECONDS = 30.0
_VAIN_STARTS = 3

_log = logging.getLogger(__name__)


class Supervisor:
    """One an instance; `run` returns after a `down`, or at SIGTERM with everything running on.

    `prefix` begins the names of the nodes in the cluster; None leaves that of the last time.
    """

    def __init__(self, instance: Instance, prefix: str | None = None) -> None:
        self._instance = instance
        self._dispatcher = Dispatcher()
        self._nodes = NodeList(node_list_path(instance))
        self._prefix = prefix
        self._records = ProcessRecords(instance.run_folder / "processes")
        self._processes = Processes(instance, self._dispatcher, self._server_heard)
        self._supervised: dict[str, Supervised] = {}
        self._ready = False
        self._waiting: list[Reply] = []

    def run(self, nodes: int, listening: Callable[[], None]) -> None:
        """`nodes` 0 means those of the last time; `listening` is called once demands are heard."""
        forking.adopt_orphans()
        self._dispatcher.on_signal(signal.SIGCHLD, self._reap)
        self._dispatcher.on_signal(signal.SIGTERM, self._dispatcher.stop)
        self._dispatcher.on_signal(signal.SIGINT, self._dispatcher.stop)
        path = self._instance.run_folder / "supervisor.sock"
        control = ControlSocket(path, self._dispatcher, self._answer)
        listening()
        if self._is_first_since_down():
            self._nodes.reset(nodes or len(self._nodes.entries) or 1, self._prefix)
        self._nodes.ensure(nodes)
        self._start()
        self._dispatcher.run()
        control.close()

    def _is_first_since_down(self) -> bool:
        return not self._records.roles()

    def _start(self) -> None:
        """The server first: it imports its own part while this process imports the nodes'."""
        started = self._role(SERVER, self._processes.start_server).run()
        if not started:
            self._server_heard(True)
        self._processes.prepare_nodes()
        self._role(ENGINE, self._processes.start_engine).run()
        for entry in self._nodes.entries:
            if not entry.stopped:
                self._holder(entry).run()

    def _role(self, role: str, start: Callable[[], int]) -> Supervised:
        if role not in self._supervised:
            self._supervised[role] = Supervised(role, start, self._dispatcher, self._records)
        return self._supervised[role]

    def _holder(self, entry: NodeEntry) -> Supervised:
        return self._role(entry.role, partial(self._processes.start_node, entry.number))

    def _reap(self) -> None:
        for process, status in forking.reap_children():
            _log.debug("process %d ended with %d", process, status)

    def _server_heard(self, ready: bool) -> None:
        if ready:
            self._ready = True
            self._processes.open_gate()
        elif self._supervised[SERVER].restarts.early_ends < _VAIN_STARTS:
            return
        replies, self._waiting = self._waiting, []
        for reply in replies:
            if ready:
                self._up_result(reply)
            else:
                log = log_folder(self._instance) / "server.log"
                reply.error(f"the server ends at once; its log tells why: {log}")

    def _answer(self, demand: Demand, reply: Reply) -> None:
        answers: dict[str, Callable[[Demand, Reply], None]] = {
            "up": self._up,
            "down": self._down,
            "status": self._status,
            "node-start": self._node_start,
            "node-stop": self._node_stop,
            "node-kill": self._node_kill,
        }
        answer = answers.get(demand.action)
        if answer is None:
            reply.error(f"there is no action {demand.action!r}")
            return
        _log.info("asked for %s %s", demand.action, demand.name)
        try:
            answer(demand, reply)
        except NoSuchNode as failure:
            reply.error(str(failure))

    def _up(self, demand: Demand, reply: Reply) -> None:
        """Idempotent. Answers when the server takes requests."""
        present = len(self._nodes.entries)
        if not 0 <= demand.nodes <= MOST_NODES:
            reply.error(f"the number of nodes must be from 1 to {MOST_NODES}")
            return
        if 0 < demand.nodes < present:
            command = command_prefix(self._instance.name)
            reply.error(
                f"{present} nodes are running; end one with `{command} node stop NAME`, "
                f"or begin anew with `{command} down` and `{command} up --nodes {demand.nodes}`"
            )
            return
        self._nodes.ensure(demand.nodes)
        self._add_nodes(self._nodes.entries[present:])
        if not self._ready:
            reply.progress("starting the control plane")
            self._waiting.append(reply)
            return
        self._up_result(reply)

    def _add_nodes(self, added: tuple[NodeEntry, ...]) -> None:
        """Start them, and have the agents of the others take their smaller share."""
        others = [role for role in self._supervised if role not in (SERVER, ENGINE)]
        for entry in added:
            self._holder(entry).run()
        if added:
            for role in others:
                self._supervised[role].send(signal.SIGHUP)

    def _up_result(self, reply: Reply) -> None:
        """Each node that shall run, and since when it does."""
        running = (entry for entry in self._nodes.entries if not entry.stopped)
        reply.result({"nodes": {entry.name: self._holder(entry).since for entry in running}})

    def _status(self, _demand: Demand, reply: Reply) -> None:
        reply.result(
            {
                "ready": self._ready,
                "supervisor": os.getpid(),
                "processes": [self._describe(item) for item in self._supervised.values()],
                "nodes": [
                    {
                        "name": entry.name,
                        "address": str(self._instance.node_address(entry.number)),
                        "stopped": entry.stopped,
                    }
                    for entry in self._nodes.entries
                ],
            }
        )

    def _describe(self, item: Supervised) -> dict[str, Any]:
        return {
            "role": item.role,
            "process": item.process,
            "restarts": max(0, item.restarts.total - 1),
        }

    def _node_start(self, demand: Demand, reply: Reply) -> None:
        entry = self._nodes.find(demand.name)
        self._nodes.set_stopped(entry.number, False)
        holder = self._holder(entry)
        holder.run()
        reply.result({"node": entry.name, "since": holder.since})

    def _node_stop(self, demand: Demand, reply: Reply) -> None:
        entry = self._nodes.find(demand.name)
        self._nodes.set_stopped(entry.number, True)
        reply.progress(f"stopping the containers of {entry.name}")
        holder = self._holder(entry)

        def ended() -> None:
            self._processes.clear_node(entry.number)
            reply.result({"node": entry.name})

        holder.end(signal.SIGTERM, ended)
        self._kill_late(holder)

    def _node_kill(self, demand: Demand, reply: Reply) -> None:
        """As if its plug were pulled: first the link, then every process at once."""
        entry = self._nodes.find(demand.name)
        if entry.number == MACHINE_NODE:
            reply.error(
                f"{entry.name} is this machine itself and can't be killed; "
                f"use `sampan node stop {entry.name}`, or kill another node"
            )
            return
        self._nodes.set_stopped(entry.number, True)
        self._processes.cut_link(entry.number)

        def ended() -> None:
            self._processes.clear_node(entry.number)
            reply.result({"node": entry.name})

        self._holder(entry).end(signal.SIGKILL, ended)

    def _down(self, _demand: Demand, reply: Reply) -> None:
        """Nodes with their containers first, then the engine, then the server."""
        holders = [item for role, item in self._supervised.items() if role not in (SERVER, ENGINE)]
        reply.progress("stopping containers and nodes")
        self._end_all(holders, lambda: self._end_rest(reply))

    def _end_rest(self, reply: Reply) -> None:
        reply.progress("stopping the control plane")
        rest = [self._supervised[role] for role in (ENGINE, SERVER) if role in self._supervised]

        def ended() -> None:
            self._dispatcher.stop()
            reply.result({"process": os.getpid()})

        self._end_all(rest, ended)

    def _end_all(self, items: list[Supervised], then: Callable[[], None]) -> None:
        remaining = {item.role for item in items}
        if not remaining:
            then()
            return

        def ended(role: str) -> None:
            remaining.discard(role)
            if not remaining:
                then()

        for item in items:
            item.end(signal.SIGTERM, partial(ended, item.role))
            self._kill_late(item)

    def _kill_late(self, item: Supervised) -> None:
        """SIGKILL for what still runs, unwanted, after its time to end."""

        def kill() -> None:
            if not item.wanted:
                item.send(signal.SIGKILL)

        self._dispatcher.after(_STOP_SECONDS, kill)
