"""The format of Docker's json-file logs: one JSON object a line. Pure.

    {"log":"said\\n","stream":"stdout","attrs":{"tag":"x"},"time":"2026-01-01T00:00:00.5Z"}

A line of more than 16 KiB is several, of which only the last has an end of line in `log`. What
isn't UTF-8 is replaced, as Docker does it.
"""

from collections.abc import Mapping

import msgspec

from sampan.engine.logs import LogEntry, LogStream

_PIECE = 16 * 1024


class _Line(msgspec.Struct):
    log: str
    time: str
    stream: LogStream = "stdout"
    attrs: dict[str, str] = {}


class Writer:
    """Makes lines out of entries; `held` is the beginning of a line that goes on, by stream."""

    def __init__(self, attributes: Mapping[str, str], held: Mapping[LogStream, bytes]) -> None:
        told = b',"attrs":' + msgspec.json.encode(dict(attributes)) if attributes else b""
        self._middles = {
            name: b',"stream":"%s"%s,"time":"' % (name.encode(), told)
            for name in ("stdout", "stderr")
        }
        self._encode = msgspec.json.Encoder().encode
        self.held = dict(held)

    def lines(self, entry: LogEntry) -> bytes:
        """What an entry completes: nothing, a line, or several."""
        content, made = self.held.pop(entry.stream, b"") + entry.content, b""
        while len(content) > _PIECE:
            cut = _end_of_character(content)
            made += self._line(entry.stream, entry.time, content[:cut])
            content = content[cut:]
        if not entry.partial:
            return made + self._line(entry.stream, entry.time, content + b"\n")
        self.held[entry.stream] = content
        return made

    def last_lines(self, time: str) -> bytes:
        """What was said last, without an end of line."""
        made = b"".join(self._line(stream, time, each) for stream, each in self.held.items())
        self.held = {}
        return made

    def _line(self, stream: LogStream, time: str, content: bytes) -> bytes:
        text = self._encode(content.decode(errors="replace"))
        return b'{"log":%s%s%s"}\n' % (text, self._middles[stream], _shortened(time).encode())


def parse(line: bytes) -> LogEntry | None:
    """The entry of a line without its end; None for one that is not of the format."""
    try:
        found = msgspec.json.decode(line, type=_Line)
    except msgspec.DecodeError:
        return None
    partial = not found.log.endswith("\n")
    content = found.log if partial else found.log[:-1]
    return LogEntry(found.time, found.stream, partial, content.encode(), found.attrs)


def _end_of_character(content: bytes) -> int:
    """Where a piece ends that is as long as can be, in no character of UTF-8."""
    cut = _PIECE
    while cut > _PIECE - 4 and content[cut] & 0xC0 == 0x80:
        cut -= 1
    return cut


def _shortened(time: str) -> str:
    """RFC 3339 as Go writes it: a fraction doesn't end with zeros."""
    if time[-2:-1] != "0" or "." not in time:
        return time
    return time.removesuffix("Z").rstrip("0").removesuffix(".") + "Z"
