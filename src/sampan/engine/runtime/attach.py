"""A running container's own streams, through the socket that conmon offers.

Packets on a Unix SEQPACKET socket: each that comes has one byte for its stream and then data;
each that goes is standard input. Source: conmon's sources, conn_sock.
"""

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from sampan.host import processes

_PACKET = 32 * 1024
_STREAMS: dict[int, Literal["stdout", "stderr"]] = {2: "stdout", 3: "stderr"}
_INPUT_CHUNK = 8 * 1024


class AttachedStreams:
    """Connects at once, so that nothing of a container not yet started is missed."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when the container has no monitor any more."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # The address of a Unix socket holds 107 bytes; the folder's path may be longer.
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self._socket.setblocking(False)
            self._socket.connect(f"/proc/self/fd/{folder}/{path.name}")
        except OSError:
            self._socket.close()
            raise
        finally:
            os.close(folder)

    async def output(self) -> AsyncIterator[tuple[Literal["stdout", "stderr"], bytes]]:
        """What comes until the container has ended."""
        while True:
            try:
                packet = self._socket.recv(_PACKET + 1)
            except BlockingIOError:
                await processes.until_ready(readable=(self._socket.fileno(),))
                continue
            except ConnectionResetError:
                return
            if not packet:
                return
            if packet[0] in _STREAMS:
                yield _STREAMS[packet[0]], packet[1:]

    async def write(self, data: bytes) -> None:
        """To standard input. Raises BrokenPipeError when it is no longer read."""
        for start in range(0, len(data), _INPUT_CHUNK):
            piece = data[start : start + _INPUT_CHUNK]
            while True:
                try:
                    self._socket.send(piece)
                    break
                except BlockingIOError:
                    await processes.until_ready(writable=(self._socket.fileno(),))
                except ConnectionError as error:
                    raise BrokenPipeError("the container no longer reads") from error

    def close_input(self) -> None:
        """End its standard input."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            # It ended meanwhile.
            return

    def close(self) -> None:
        self._socket.close()
