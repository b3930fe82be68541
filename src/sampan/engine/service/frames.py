"""The frames of the engines' sockets.

A frame is one byte for its kind, four for the length of its payload (big-endian), and the
payload. A client asks one question at a time; some questions stay open, and both sides send
further frames then.
"""

import asyncio
import json
import struct
from typing import Any

QUESTION = b"Q"  # {"method": …, "arguments": …}
ANSWER = b"A"  # JSON
ERROR = b"E"  # {"kind": the error's class, "message": …, "exit_code": …}
NOTICE = b"N"  # JSON: what has happened meanwhile
STARTED = b"S"  # a command's streams are there
STDOUT = b"O"
STDERR = b"R"
INPUT = b"I"
INPUT_END = b"Z"
RESIZE = b"W"  # [columns, rows]
KILL = b"K"

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


async def read_frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Kind and payload of the next one. Raises BrokenFrame, IncompleteReadError at the end."""
    kind, length = header(await reader.readexactly(HEADER.size))
    return kind, await reader.readexactly(length)
