"""Tracked connections: finding those that are answered from one place, and forgetting them.

Formats: linux/netfilter/nfnetlink_conntrack.h; filtered dumps need Linux 5.8. Why a
connection should be forgotten is not known here.
"""

import errno
import socket
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Self

from sampan.host import netlink_message as message
from sampan.host.netlink_message import NetlinkError, NetlinkSocket

_NETFILTER = 12
_GET, _DELETE = 1 << 8 | 1, 1 << 8 | 2
_TUPLE_ORIGINAL, _TUPLE_REPLY, _FILTER = 1, 2, 25
_TUPLE_IP, _TUPLE_PROTOCOL = 1, 2
# Source and destination, by the version of IP.
_IP_ATTRIBUTES = {4: (1, 2), 6: (3, 4)}
Address = IPv4Address | IPv6Address
_PROTOCOL_NUMBER, _PROTOCOL_SOURCE_PORT = 1, 2
_FILTER_ORIGINAL_FLAGS, _FILTER_REPLY_FLAGS = 1, 2
_STATUS = 3
_SEEN_REPLY = 1 << 1
_BY_SOURCE, _BY_PROTOCOL, _BY_SOURCE_PORT = 1 << 0, 1 << 3, 1 << 4


class ConnectionTable:
    """The tracked connections of the calling thread's network namespace (NetlinkError)."""

    def __init__(self) -> None:
        self._socket = NetlinkSocket(_NETFILTER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def forget_translated(self, protocol: int, address: Address, port: int) -> int:
        """Forget each connection that is answered from this address and port although it was
        addressed elsewhere; how many there were."""
        found = self._translated(protocol, address, port)
        return sum(self._forget(address, entry[_TUPLE_ORIGINAL]) for entry in found)

    def forget_unanswered(self, protocol: int, address: Address, port: int) -> int:
        """Like `forget_translated`, but only those that nothing was ever answered to."""
        found = self._translated(protocol, address, port)
        unanswered = [entry for entry in found if not _is_answered(entry)]
        return sum(self._forget(address, entry[_TUPLE_ORIGINAL]) for entry in unanswered)

    def _translated(self, protocol: int, address: Address, port: int) -> list[dict[int, bytes]]:
        found = self._answered_from(protocol, address, port)
        return [entry for entry in found if not _is_for(address, entry[_TUPLE_ORIGINAL])]

    def _answered_from(self, protocol: int, address: Address, port: int) -> list[dict[int, bytes]]:
        source, _ = _IP_ATTRIBUTES[address.version]
        reply = message.nested(
            _TUPLE_IP, message.attribute(source, address.packed)
        ) + message.nested(
            _TUPLE_PROTOCOL,
            message.attribute_u8(_PROTOCOL_NUMBER, protocol),
            message.attribute(_PROTOCOL_SOURCE_PORT, struct.pack(">H", port)),
        )
        wanted = message.nested(
            _FILTER,
            message.attribute_u32(_FILTER_ORIGINAL_FLAGS, 0),
            message.attribute_u32(_FILTER_REPLY_FLAGS, _BY_SOURCE | _BY_PROTOCOL | _BY_SOURCE_PORT),
        )
        body = _header(address) + message.nested(_TUPLE_REPLY, reply) + wanted
        answers = self._socket.ask(_GET, message.DUMP, body, "list tracked connections")
        return [message.parse_attributes(answer[4:]) for answer in answers]

    def _forget(self, address: Address, original: bytes) -> bool:
        body = _header(address) + message.nested(_TUPLE_ORIGINAL, original)
        try:
            self._socket.request(_DELETE, 0, body, "forget a connection")
        except NetlinkError as refusal:
            if refusal.errno == errno.ENOENT:
                return False
            raise
        return True


def _header(address: Address) -> bytes:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return struct.pack(">BBH", family, 0, 0)


def _is_for(address: Address, original: bytes) -> bool:
    """Whether a connection was addressed to this address."""
    _, destination = _IP_ATTRIBUTES[address.version]
    addresses = message.parse_attributes(message.parse_attributes(original)[_TUPLE_IP])
    return addresses[destination] == address.packed


def _is_answered(entry: dict[int, bytes]) -> bool:
    (status,) = struct.unpack(">I", entry[_STATUS])
    return bool(status & _SEEN_REPLY)
