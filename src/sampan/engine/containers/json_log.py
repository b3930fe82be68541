"""The format of Docker's json-file logs: one JSON object a line. Pure.

    {"log":"said\n","stream":"stdout","attrs":{"tag":"x"},"time":"2026-01-01T00:00:00.5Z"}

A piece of a line that goes on has no end of line in `log`. What isn't UTF-8 is replaced, as
Docker does it; a character that is cut between two pieces stays whole.
"""

import codecs
from collections.abc import Mapping

import msgspec

from sampan.engine.logs import LogEntry, LogStream

_REPLACED = "replace"


class _Line(msgspec.Struct):
    log: str
    time: str
    stream: LogStream = "stdout"
    attrs: dict[str, str] = {}


class Writer:
    """Makes lines out of entries; `held` is the beginning of a character that is cut, by stream."""

    def __init__(self, attributes: Mapping[str, str], held: Mapping[str, str]) -> None:
        told = b',"attrs":' + msgspec.json.encode(dict(attributes)) if attributes else b""
        self._middles = {
            name: b',"stream":"%s"%s,"time":"' % (name.encode(), told)
            for name in ("stdout", "stderr")
        }
        self._encode = msgspec.json.Encoder().encode
        self._decoders = {name: _decoder(piece) for name, piece in held.items()}

    @property
    def held(self) -> dict[str, str]:
        """In hexadecimal; empty where no character is cut."""
        states = {name: decoder.getstate()[0] for name, decoder in self._decoders.items()}
        return {name: state.hex() for name, state in states.items() if state}

    def line(self, entry: LogEntry) -> bytes:
        """The line of an entry with its end."""
        text = self._encode(self._text(entry))
        time = _shortened(entry.time).encode()
        return b'{"log":%s%s%s"}\n' % (text, self._middles[entry.stream], time)

    def _text(self, entry: LogEntry) -> str:
        content = entry.content if entry.partial else entry.content + b"\n"
        decoder = self._decoders.get(entry.stream)
        if decoder is None:
            try:
                return content.decode()
            except UnicodeDecodeError:
                # From here on characters may be cut.
                decoder = self._decoders[entry.stream] = _decoder("")
        return decoder.decode(content)


def parse(line: bytes) -> LogEntry | None:
    """The entry of a line without its end; None for one that is not of the format."""
    try:
        found = msgspec.json.decode(line, type=_Line)
    except msgspec.DecodeError:
        return None
    partial = not found.log.endswith("\n")
    content = found.log if partial else found.log[:-1]
    return LogEntry(found.time, found.stream, partial, content.encode(), found.attrs)


def _decoder(held: str) -> codecs.IncrementalDecoder:
    decoder = codecs.getincrementaldecoder("utf-8")(_REPLACED)
    decoder.decode(bytes.fromhex(held))
    return decoder


def _shortened(time: str) -> str:
    """RFC 3339 as Go writes it: a fraction doesn't end with zeros."""
    if time[-2:-1] != "0" or "." not in time:
        return time
    return time.removesuffix("Z").rstrip("0").removesuffix(".") + "Z"
