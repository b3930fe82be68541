"""Ports of the machine that are published, held so that no program takes them meanwhile.

A held TCP port is bound but not listened to: packets are translated before they would reach it,
and when the rules are away for a moment, callers are refused rather than kept waiting.
"""

import errno
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address

import msgspec

from sampan.network.contract import TransportProtocol

_KINDS: dict[TransportProtocol, socket.SocketKind] = {
    "tcp": socket.SOCK_STREAM,
    "udp": socket.SOCK_DGRAM,
}


class PortTaken(Exception):
    """None of the ports asked for is free."""


class WantedPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port of the machine; the first free one from `first` to `last`, any when both are 0."""

    protocol: TransportProtocol
    address: IPv4Address
    first: int = 0
    last: int = 0


class Reservations:
    """The ports that each owner holds, in the calling thread's network namespace."""

    def __init__(self) -> None:
        self._held: dict[str, list[socket.socket]] = {}

    def reserve(self, owner: str, wanted: Iterable[WantedPort]) -> list[int]:
        """Hold all of these, or raise PortTaken and hold none of them (OSError)."""
        held: list[socket.socket] = []
        ports = []
        try:
            for each in wanted:
                made = _first_free(each)
                held.append(made)
                ports.append(int(made.getsockname()[1]))
        except BaseException:
            for made in held:
                made.close()
            raise
        self._held.setdefault(owner, []).extend(held)
        return ports

    def release(self, owner: str) -> None:
        """Let go of all that an owner holds; no error if it holds none."""
        for made in self._held.pop(owner, ()):
            made.close()

    def close(self) -> None:
        for owner in list(self._held):
            self.release(owner)


def _first_free(wanted: WantedPort) -> socket.socket:
    for port in range(wanted.first, wanted.last + 1):
        try:
            return _bound(wanted, port)
        except OSError as refusal:
            if refusal.errno != errno.EADDRINUSE:
                raise
    raise PortTaken(f"{wanted.address}:{wanted.last}")


def _bound(wanted: WantedPort, port: int) -> socket.socket:
    """A bound socket. Connections of an earlier program that wait for their end (TCP) don't
    keep a port, but from then on nobody else may share it."""
    made = socket.socket(socket.AF_INET, _KINDS[wanted.protocol] | socket.SOCK_CLOEXEC)
    try:
        if wanted.protocol == "tcp":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((str(wanted.address), port))
        if wanted.protocol == "tcp":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except BaseException:
        made.close()
        raise
    return made
