"""The socket by which the command line speaks to the supervisor.

A request is one line of JSON; the answer is any number of `{"progress": …}` lines and then one
`{"result": …}` or `{"error": …}`. Only root can open the socket: mode 600 in a folder of 700.
"""

import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from sampan.daemon.dispatcher import Dispatcher

_LONGEST_REQUEST = 64 * 1024
_PATIENCE_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for. `nodes` 0 means as many as there are."""

    action: str
    nodes: int = 0
    name: str = ""


class Reply:
    """Where the answer to one demand goes. The asker may have left: then nothing happens."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def progress(self, text: str) -> None:
        self._send({"progress": text})

    def result(self, value: dict[str, Any]) -> None:
        self._send({"result": value})
        self._connection.close()

    def error(self, message: str) -> None:
        self._send({"error": message})
        self._connection.close()

    def _send(self, line: dict[str, Any]) -> None:
        if self._connection.fileno() < 0:
            return
        try:
            self._connection.sendall(msgspec.json.encode(line) + b"\n")
        except OSError as failure:
            _log.info("the asker has left: %s", failure)
            self._connection.close()


class ControlSocket:
    """Listens at `path`; each demand is handed to `answer` in the dispatcher's loop."""

    def __init__(
        self, path: Path, dispatcher: Dispatcher, answer: Callable[[Demand, Reply], None]
    ) -> None:
        self._dispatcher = dispatcher
        self._answer = answer
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen(16)
        self._listener.setblocking(False)
        dispatcher.on_readable(self._listener.fileno(), self._accept)

    def close(self) -> None:
        """Take no more demands."""
        self._dispatcher.forget(self._listener.fileno())
        self._listener.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        connection.settimeout(_PATIENCE_SECONDS)
        received = bytearray()
        self._dispatcher.on_readable(
            connection.fileno(), lambda: self._receive(connection, received)
        )

    def _receive(self, connection: socket.socket, received: bytearray) -> None:
        try:
            piece = connection.recv(_LONGEST_REQUEST)
        except OSError:
            piece = b""
        received += piece
        complete = b"\n" in received
        if piece and not complete and len(received) < _LONGEST_REQUEST:
            return
        self._dispatcher.forget(connection.fileno())
        reply = Reply(connection)
        if not complete:
            reply.error("a demand is one line of JSON")
            return
        try:
            demand = msgspec.json.decode(bytes(received.split(b"\n", 1)[0]), type=Demand)
        except msgspec.DecodeError as failure:
            reply.error(f"the demand can't be read: {failure}")
            return
        self._answer(demand, reply)
