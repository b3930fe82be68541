"""Two streams over one connection: a frame is its stream, its length and its bytes. Pure.

Docker Engine API, "Stream format": one byte 1 (stdout) or 2 (stderr), three zeros, four bytes of
length, the most significant first.
"""

import struct
from typing import Literal

RAW = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"
_HEAD = struct.Struct(">BxxxI")
_NUMBERS = {"stdout": 1, "stderr": 2}
_SINCE = (1, 42)


def frame(stream: Literal["stdout", "stderr"], data: bytes) -> bytes:
    return _HEAD.pack(_NUMBERS[stream], len(data)) + data


def content_type(version: tuple[int, int], *, terminal: bool) -> str:
    """What a stream is called; versions before 1.42 call both raw."""
    return MULTIPLEXED if not terminal and version >= _SINCE else RAW
