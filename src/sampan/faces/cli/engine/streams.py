"""A container's or command's streams on our own: output, input, signals, the terminal's size."""

import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sampan.faces.cli.engine.api_client import Answer

_CHUNK = 32 * 1024
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_FRAME_HEAD = 8
_KEYS_KEPT = 256


class Relay:
    """Carries the streams of one upgraded answer until the other side ends them.

    `signalled` is called with the number of each signal that arrives meanwhile, of which this
    process ends where that is None; `resized` when our terminal's size is to be told. Output of a
    terminal comes as it is, any other in frames of one stream each (Docker Engine API, "Attach to
    a container").
    """

    def __init__(
        self,
        answer: Answer,
        *,
        interactive: bool,
        terminal: bool,
        signalled: Callable[[int], None] | None,
        resized: Callable[[int, int], None],
    ) -> None:
        self._answer = answer
        self._interactive = interactive
        self._terminal = terminal
        self._signalled = signalled
        self._resized = resized
        self._received = b""
        self._typed = b""

    def was_left(self, detach_keys: str) -> bool:
        """Whether the user has typed the keys ("" for the usual ones) by which one leaves."""
        if not (self._terminal and self._interactive):
            return False
        from sampan.faces.dockerapi.detach_keys import parsed

        return self._typed.endswith(parsed(detach_keys))

    def carry(self) -> None:
        """Raises ConnectionError."""
        ends = self._signalled is None
        raw = self._terminal and self._interactive
        with _raw_terminal(raw), _signals(ends=ends) as signals:
            if self._terminal:
                self._tell_size()
            self._show(self._answer.taken())
            self._loop(signals)

    def _loop(self, signals: int) -> None:
        peer = self._answer.socket
        poll = select.poll()
        poll.register(peer.fileno(), select.POLLIN)
        poll.register(signals, select.POLLIN)
        if self._interactive:
            poll.register(0, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == signals:
                    self._take_signals(signals)
                elif descriptor == 0:
                    if not self._feed(peer):
                        poll.unregister(0)
                else:
                    data = peer.recv(1 << 18)
                    if not data:
                        return
                    self._show(data)

    def _feed(self, peer: socket.socket) -> bool:
        """False at the end of our input, or when nobody wants it any more."""
        data = os.read(0, _CHUNK)
        self._typed = (self._typed + data)[-_KEYS_KEPT:]
        try:
            if data:
                peer.sendall(data)
            else:
                peer.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return bool(data)

    def _take_signals(self, signals: int) -> None:
        for number in os.read(signals, 64):
            if number == signal.SIGWINCH:
                self._tell_size()
            elif self._signalled is not None:
                self._signalled(number)

    def _tell_size(self) -> None:
        if os.isatty(1):
            columns, rows = os.get_terminal_size(1)
            self._resized(columns, rows)

    def _show(self, data: bytes) -> None:
        if self._terminal:
            _write(1, data)
            return
        self._received = _shown(self._received + data)


def show_frames(answer: Answer) -> None:
    """Write framed output of an answer's body to our own streams."""
    received = b""
    for piece in answer.pieces():
        received = _shown(received + piece)


def _shown(received: bytes) -> bytes:
    """Write whole frames; what is left of the last one."""
    start = 0
    while len(received) - start >= _FRAME_HEAD:
        begin = start + _FRAME_HEAD
        end = begin + int.from_bytes(received[start + 4 : begin], "big")
        if len(received) < end:
            break
        _write(received[start], received[begin:end])
        start = end
    return received[start:]


def _write(stream: int, data: bytes) -> None:
    descriptor = sys.stderr.fileno() if stream == 2 else sys.stdout.fileno()
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _pass_over(_number: int, _frame: object) -> None:
    """Its number is read from the descriptor."""


def _end(number: int, _frame: object) -> None:
    """As a shell tells of a death by the signal, but with the terminal as it was before."""
    sys.exit(128 + number)


@contextmanager
def _signals(*, ends: bool) -> Iterator[int]:
    """A descriptor from which the numbers of arriving signals can be read; `ends`: those that
    would be passed on end this process."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    handlers = dict.fromkeys(_FORWARDED, _end if ends else _pass_over)
    handlers[signal.SIGWINCH] = _pass_over
    previous = {number: signal.signal(number, it) for number, it in handlers.items()}
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
    if not wanted or not os.isatty(0):
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(0)
    # What was typed already is for the other side.
    tty.setraw(0, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
