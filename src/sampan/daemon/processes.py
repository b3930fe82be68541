"""How each process of an instance comes into being: forked here, living elsewhere.

The supervisor calls this; what a child does stands in the module of its own that it imports.
The server is forked before the nodes' part is imported and imports its own, so that neither
carries the other's memory; everything else shares the pages of what `prepare_nodes` imported.
"""

import os
from collections.abc import Callable

from sampan.daemon.dispatcher import Dispatcher
from sampan.daemon.log_files import log_to_file
from sampan.daemon.node_list import MACHINE_NODE
from sampan.foundation.settings import Instance
from sampan.host import forking
from sampan.host.cgroups import control_groups


class Processes:
    """`server_heard` is called once for each server: with True when it has begun to take
    requests, with False when it has ended without."""

    def __init__(
        self, instance: Instance, dispatcher: Dispatcher, server_heard: Callable[[bool], None]
    ) -> None:
        self._instance = instance
        self._dispatcher = dispatcher
        self._server_heard = server_heard
        # A gate is a pipe without a word: whoever waits reads its end when the keeper is closed.
        self._network_gate, self._network_keeper = os.pipe()
        self._server_gate, self._server_keeper = os.pipe()

    def start_server(self) -> int:
        reader, writer = os.pipe()

        def serve() -> None:
            from sampan.daemon import server_process

            forking.set_process_name("sampan-server")
            log_to_file(self._instance, "server")
            server_process.run(self._instance, network=self._network_gate, ready=writer)

        process = forking.fork(serve, keep=(self._network_gate, writer))
        os.close(writer)
        self._dispatcher.on_readable(reader, lambda: self._heard_from_server(reader))
        return process

    def _heard_from_server(self, reader: int) -> None:
        ready = os.read(reader, 1)
        self._dispatcher.forget(reader)
        os.close(reader)
        self._server_heard(bool(ready))

    def prepare_nodes(self) -> None:
        """Join the machine to the private bridge, and import what nodes and engine share."""
        from sampan.daemon import private_bridge

        private_bridge.set_up(self._instance)
        os.close(self._network_keeper)
        from sampan.daemon import agent_process, engine_process, node_holder  # noqa: F401

        forking.prepare_to_fork()

    def start_engine(self) -> int:
        from sampan.daemon import engine_process

        return forking.fork(lambda: engine_process.run(self._instance))

    def start_node(self, number: int) -> int:
        from sampan.daemon import node_holder

        if number != MACHINE_NODE:
            self.clear_node(number)
        return node_holder.start(self._instance, number, server=self._server_gate)

    def open_gate(self) -> None:
        """Let the agents go to the server; nothing happens the second time."""
        if self._server_keeper >= 0:
            os.close(self._server_keeper)
            self._server_keeper = -1

    def cut_link(self, number: int) -> None:
        from sampan.daemon import private_bridge

        private_bridge.cut_link(self._instance, number)

    def clear_node(self, number: int) -> None:
        """End what may still run of a node whose holder has ended, and free its groups."""
        from sampan.daemon import sweep

        sweep.clear_node(self._instance, number, control_groups())
