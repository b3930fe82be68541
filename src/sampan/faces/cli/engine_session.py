"""One question to the engine, with the streams, signals and terminal that go with it.

`sampan run` is to start within milliseconds: only quick parts of the standard library are
imported here, and neither click nor msgspec.
"""

import json
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sampan.engine.service import frames
from sampan.foundation.instance_name import command_prefix, run_folder

ENGINE_FAILED = 125
_CHUNK = 32 * 1024
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class EngineUnreachable(Exception):
    """Nobody listens on the engine's socket."""


class EngineRefused(Exception):
    """The engine answered with an error; `exit_code` is what a shell would give."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def connect(instance: str) -> frames.BlockingConnection:
    """Raises EngineUnreachable with what to do."""
    path = f"{run_folder(instance)}/engine.sock"
    try:
        return frames.BlockingConnection(path)
    except PermissionError as error:
        raise EngineUnreachable("the engine is root's: run this as root, e.g. with sudo") from error
    except OSError as error:
        raise EngineUnreachable(
            f"no engine answers at {path} ({error.strerror}): "
            f"start it with '{command_prefix(instance)} up'"
        ) from error


def ask(
    instance: str,
    method: str,
    arguments: Any,
    *,
    interactive: bool = False,
    terminal: bool = False,
    forward_signals: bool = False,
) -> Any:
    """The engine's answer; output and progress go to this process's own streams meanwhile.

    With `terminal` our own terminal is raw until the answer. Raises EngineUnreachable,
    EngineRefused, ConnectionError.
    """
    connection = connect(instance)
    try:
        with _signals(forward_signals) as signals, _raw_terminal(terminal):
            conversation = _Conversation(connection, signals, interactive)
            connection.send(frames.question(method, arguments))
            if terminal:
                conversation.send_size()
            return conversation.hold()
    finally:
        connection.close()


class _Conversation:
    def __init__(
        self, connection: frames.BlockingConnection, signals: int, interactive: bool
    ) -> None:
        self._connection = connection
        self._signals = signals
        self._stdin = sys.stdin.fileno() if interactive else -1
        self._received = bytearray()

    def hold(self) -> Any:
        """Until the answer. Raises EngineRefused, ConnectionError."""
        poll = select.poll()
        descriptors = (self._connection.socket.fileno(), self._signals, self._stdin)
        for descriptor in descriptors:
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == self._signals:
                    self._forward_signals()
                elif descriptor == self._stdin:
                    if not self._forward_input():
                        poll.unregister(self._stdin)
                else:
                    for kind, payload in self._new_frames():
                        if kind == frames.ANSWER:
                            return json.loads(payload)
                        _show(kind, payload)

    def send_size(self) -> None:
        """Tell the size of our terminal."""
        columns, rows = os.get_terminal_size()
        self._send(frames.RESIZE, {"columns": columns, "rows": rows})

    def _send(self, kind: bytes, content: Any) -> None:
        self._connection.send(frames.frame(kind, json.dumps(content).encode()))

    def _forward_signals(self) -> None:
        for number in os.read(self._signals, 64):
            if number == signal.SIGWINCH:
                self.send_size()
            else:
                self._send(frames.SIGNAL, {"signal": number})

    def _forward_input(self) -> bool:
        """False at the end of our input."""
        data = os.read(self._stdin, _CHUNK)
        kind = frames.INPUT if data else frames.INPUT_END
        self._connection.send(frames.frame(kind, data))
        return bool(data)

    def _new_frames(self) -> Iterator[tuple[bytes, bytes]]:
        data = self._connection.socket.recv(1 << 20)
        if not data:
            raise frames.BrokenFrame("the engine went away")
        self._received += data
        start = frames.HEADER.size
        while len(self._received) >= start:
            kind, length = frames.header(bytes(self._received[:start]))
            if len(self._received) < start + length:
                return
            payload = bytes(self._received[start : start + length])
            del self._received[: start + length]
            yield kind, payload


def _show(kind: bytes, payload: bytes) -> None:
    """Write what came to our own streams. Raises EngineRefused for an error."""
    if kind == frames.ERROR:
        error = json.loads(payload)
        raise EngineRefused(error["message"], error.get("exit_code", ENGINE_FAILED))
    descriptor = sys.stdout.fileno() if kind == frames.STDOUT else sys.stderr.fileno()
    view = memoryview(payload + b"\n" if kind == frames.PROGRESS else payload)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def _signals(forwarded: bool) -> Iterator[int]:
    """A descriptor from which the numbers of arriving signals can be read; -1 for none."""
    if not forwarded:
        yield -1
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    numbers = (*_FORWARDED, signal.SIGWINCH)
    previous = {number: signal.signal(number, lambda *_: None) for number in numbers}
    if not os.isatty(0):
        signal.signal(signal.SIGWINCH, signal.SIG_IGN)
    try:
        yield reader
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)


@contextmanager
def _raw_terminal(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
