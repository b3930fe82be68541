"""Netlink on the wire: messages, attributes, and a socket that asks and hears the answer.

One request is one system call pair, some 20 microseconds; the kernel answers while it is
asked, so nothing here waits. Formats: netlink(7), linux/netlink.h. What the messages of a
protocol mean is for the modules above.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from sampan.host.namespaces import open_socket_in

REQUEST, ACKNOWLEDGE, DUMP = 0x1, 0x4, 0x300
REPLACE, EXCLUSIVE, CREATE = 0x100, 0x200, 0x400

_ERROR, _DONE = 2, 3
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_FLAG_ACK_TLVS = 0x200
_ATTRIBUTE_MESSAGE = 1
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_RECEIVE_SIZE = 1 << 18
_DEFAULT_SEND_SIZE = 1 << 16
_SEND_BUFFER_FORCE = 32
_LAST_SEQUENCE = 0x7FFFFFFF


class NetlinkError(OSError):
    """The kernel refused a request; `errno` says why, the text what was asked."""


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | _NESTED, b"".join(attributes))


def attribute_u8(kind: int, value: int) -> bytes:
    return attribute(kind, value.to_bytes(1, "little"))


def attribute_u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def attribute_text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def parse_attributes(payload: bytes) -> dict[int, bytes]:
    """Attributes by kind; the last of each kind wins. NetlinkError if they are malformed."""
    return dict(_attributes(payload))


def parse_list(payload: bytes) -> list[bytes]:
    """The values of attributes that all mean the same. NetlinkError if they are malformed."""
    return [value for _, value in _attributes(payload)]


def _attributes(payload: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + 4 <= len(payload):
        length, kind = _ATTRIBUTE.unpack_from(payload, offset)
        if length < 4 or offset + length > len(payload):
            raise NetlinkError(errno.EBADMSG, "malformed netlink attribute")
        yield kind & _TYPE_MASK, payload[offset + 4 : offset + length]
        offset += (length + 3) & ~3


class NetlinkSocket:
    """A netlink socket of one protocol, in one network namespace for good."""

    def __init__(self, protocol: int, namespace: Path | None = None) -> None:
        """`namespace` is a pinned namespace; None is the calling thread's own (OSError)."""
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        if namespace is None:
            self._socket = socket.socket(socket.AF_NETLINK, kind, protocol)
        else:
            self._socket = open_socket_in(namespace, socket.AF_NETLINK, kind, protocol)
        self._sequence = 0
        self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
        self._socket.bind((0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def request(self, kind: int, flags: int, payload: bytes, purpose: str) -> None:
        """Ask for one change and hear that it was done; NetlinkError when it was refused."""
        for _ in self._exchange(kind, flags | ACKNOWLEDGE, payload, purpose):
            pass

    def ask(self, kind: int, flags: int, payload: bytes, purpose: str) -> list[bytes]:
        """The bodies of the messages that answer one question (or dump); NetlinkError."""
        return list(self._exchange(kind, flags, payload, purpose))

    def batch(
        self, messages: list[tuple[int, int, bytes]], acknowledged: int, purpose: str
    ) -> None:
        """Send messages (kind, flags, body) as one transaction; NetlinkError refuses them all.

        `acknowledged` is the index of the only one whose flags ask for an acknowledgement.
        """
        if self._sequence > _LAST_SEQUENCE - len(messages):
            self._sequence = 0
        first = self._sequence + 1
        last = first + acknowledged
        self._sequence += len(messages)
        self._send_all(messages, first)
        while True:
            for sequence, kind, flags, body in self._receive():
                if kind == _ERROR and first <= sequence <= last:
                    _raise_refusal(body, flags, purpose)
                    if sequence == last:
                        return

    def _send_all(self, messages: list[tuple[int, int, bytes]], first: int) -> None:
        data = b"".join(
            _HEADER.pack(16 + len(body), kind, flags | REQUEST, first + offset, 0) + body
            for offset, (kind, flags, body) in enumerate(messages)
        )
        if len(data) > _DEFAULT_SEND_SIZE:
            self._socket.setsockopt(socket.SOL_SOCKET, _SEND_BUFFER_FORCE, 2 * len(data))
        self._socket.send(data)

    def _exchange(self, kind: int, flags: int, payload: bytes, purpose: str) -> Iterator[bytes]:
        self._sequence = (self._sequence + 1) & _LAST_SEQUENCE
        header = _HEADER.pack(16 + len(payload), kind, flags | REQUEST, self._sequence, 0)
        self._socket.send(header + payload)
        finished = False
        while not finished:
            for sequence, answer, answer_flags, body in self._receive():
                if sequence != self._sequence:
                    continue
                if answer == _ERROR:
                    _raise_refusal(body, answer_flags, purpose)
                    finished = True
                elif answer == _DONE:
                    finished = True
                else:
                    yield body
                    finished = finished or not flags & (ACKNOWLEDGE | DUMP)

    def _receive(self) -> Iterable[tuple[int, int, int, bytes]]:
        """Sequence number, kind, flags and body of what the kernel sent in one piece."""
        data = self._socket.recv(_RECEIVE_SIZE)
        offset = 0
        while offset + 16 <= len(data):
            length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
            if length < 16:
                raise NetlinkError(errno.EBADMSG, "malformed netlink message")
            yield sequence, kind, flags, data[offset + 16 : offset + length]
            offset += (length + 3) & ~3


def _raise_refusal(body: bytes, flags: int, purpose: str) -> None:
    (code,) = struct.unpack_from("=i", body)
    if code == 0:
        return
    reason = os.strerror(-code)
    if flags & _FLAG_ACK_TLVS:
        said = parse_attributes(body[20:]).get(_ATTRIBUTE_MESSAGE)
        if said:
            reason += f" ({said.rstrip(bytes(1)).decode(errors='replace')})"
    raise NetlinkError(-code, f"{purpose}: {reason}")
