"""Ports of the machine that are published, held so that no program takes them meanwhile.

A held TCP port is bound but not listened to, unless a relay does: packets are translated before
they would reach it, and when the rules are away for a moment, callers are refused rather than
kept waiting.
"""

import contextlib
import errno
import socket
from collections.abc import Iterable, Sequence

import msgspec

from sampan.network.bridges.contract import Address, PublishedProtocol

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_KINDS: dict[PublishedProtocol, tuple[socket.SocketKind, int]] = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, 132),
}
# Any port is asked of the kernel on the first address; it may be taken on the others.
_MOST_TRIED = 16


class PortTaken(Exception):
    """None of the ports asked for is free."""


class WantedPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port of the machine, the same on all of these addresses; the first free one from `first`
    to `last`, any when both are 0."""

    protocol: PublishedProtocol
    addresses: tuple[Address, ...]
    first: int = 0
    last: int = 0


class HeldPort(msgspec.Struct, frozen=True, kw_only=True):
    """One port on one address, and the socket that holds it."""

    protocol: PublishedProtocol
    address: Address
    port: int
    socket: socket.socket


class Reservations:
    """The ports that each owner holds, in the calling thread's network namespace."""

    def __init__(self) -> None:
        self._held: dict[str, list[HeldPort]] = {}

    def reserve(self, owner: str, wanted: Iterable[WantedPort]) -> list[int]:
        """Hold all of these, or raise PortTaken and hold none of them (OSError). The port of
        what is wanted on no address is 0."""
        held: list[HeldPort] = []
        ports = []
        try:
            for each in wanted:
                made = _first_free(each)
                held += made
                ports.append(made[0].port if made else 0)
        except BaseException:
            _close(held)
            raise
        self._held.setdefault(owner, []).extend(held)
        return ports

    def held(self, owner: str) -> Sequence[HeldPort]:
        """All that an owner holds; the sockets stay the reservations'."""
        return self._held.get(owner, ())

    def release(self, owner: str) -> None:
        """Let go of all that an owner holds; no error if it holds none."""
        _close(self._held.pop(owner, ()))

    def close(self) -> None:
        for owner in list(self._held):
            self.release(owner)


def is_usable(address: Address) -> bool:
    """Whether the machine has this address to listen on (one of IPv6 may be switched off)."""
    try:
        with socket.socket(_FAMILIES[address.version], socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError as refusal:
        if refusal.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return False
        raise
    return True


def _close(held: Iterable[HeldPort]) -> None:
    for each in held:
        each.socket.close()


def _first_free(wanted: WantedPort) -> list[HeldPort]:
    candidates = range(wanted.first, wanted.last + 1) if wanted.last else [0] * _MOST_TRIED
    refusal = PortTaken("")
    for port in candidates:
        try:
            return _bound_on_all(wanted, port)
        except PortTaken as taken:
            refusal = taken
    raise refusal


def _bound_on_all(wanted: WantedPort, port: int) -> list[HeldPort]:
    """The same port on all addresses, or PortTaken with one of them."""
    held: list[HeldPort] = []
    with contextlib.ExitStack() as opened:
        for address in wanted.addresses:
            try:
                made = opened.enter_context(_bound(wanted.protocol, address, port))
            except OSError as refusal:
                if refusal.errno != errno.EADDRINUSE:
                    raise
                raise PortTaken(place(address, port)) from refusal
            port = made.getsockname()[1]
            held.append(HeldPort(protocol=wanted.protocol, address=address, port=port, socket=made))
        opened.pop_all()
    return held


def place(address: Address, port: int) -> str:
    """An address and a port as people write them."""
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"


def _bound(protocol: PublishedProtocol, address: Address, port: int) -> socket.socket:
    """A bound socket. Connections of an earlier program that wait for their end (TCP) don't
    keep a port, but from then on nobody else may share it."""
    kind, number = _KINDS[protocol]
    made = socket.socket(_FAMILIES[address.version], kind | socket.SOCK_CLOEXEC, number)
    try:
        if address.version == 6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if protocol == "tcp":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((str(address), port))
        if protocol == "tcp":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except BaseException:
        made.close()
        raise
    return made
