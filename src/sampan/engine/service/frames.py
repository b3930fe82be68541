"""The frames of the engine's socket, and a blocking connection for short-lived programs.

A frame is one byte for its kind, four for the length of its payload (big-endian), and the
payload. A client asks one question at a time; while it is being answered, progress and output
come back, and input goes there. Only the standard library's quick parts are imported here:
`sampan run` starts within milliseconds.
"""

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

QUESTION = b"Q"  # {"method": …, "arguments": …}
ANSWER = b"A"  # JSON
ERROR = b"E"  # {"kind": the error's class, "message": …, "exit_code": …}
PROGRESS = b"P"  # one line of text
STDOUT = b"O"
STDERR = b"R"
INPUT = b"I"
INPUT_END = b"Z"
RESIZE = b"W"  # {"columns": …, "rows": …}
SIGNAL = b"K"  # {"signal": …}

PAYLOAD_LIMIT = 4 << 20
HEADER = struct.Struct(">cI")


class BrokenFrame(ConnectionError):
    """The peer doesn't speak this protocol, or went away in the middle of a frame."""


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return HEADER.pack(kind, len(payload)) + payload


def header(data: bytes) -> tuple[bytes, int]:
    """Kind and payload length. Raises BrokenFrame."""
    kind, length = HEADER.unpack(data)
    if length > PAYLOAD_LIMIT:
        raise BrokenFrame(f"a frame of {length} bytes is too large")
    return kind, length


def question(method: str, arguments: Any) -> bytes:
    return frame(QUESTION, json.dumps({"method": method, "arguments": arguments}).encode())


class BlockingConnection:
    """A client's side of the socket, for programs that do nothing else meanwhile."""

    def __init__(self, path: str) -> None:
        """Raises OSError when nobody listens."""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def frames(self) -> Iterator[tuple[bytes, bytes]]:
        """What comes back, to the answer or error that ends it. Raises BrokenFrame."""
        kind = b""
        while kind not in (ANSWER, ERROR):
            kind, length = header(self._exactly(HEADER.size))
            yield kind, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise BrokenFrame("the engine went away")
            data += piece
        return bytes(data)

    def close(self) -> None:
        self.socket.close()
