"""Asking the world's name servers about names that are not the cluster's.

The servers are those of the machine's resolver files, read anew when these change. Each query
goes out from a port of its own with an identifier of its own, so that a forged answer has to
guess both (RFC 5452). How many are under way is bounded.
"""

import asyncio
import secrets
import struct
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Protocol

from sampan.network import dns_messages as dns
from sampan.network.dns_messages import Answer, Query

MOST_UNDER_WAY = 256
TRY_SECONDS = 2.0
_MOST_SERVERS = 3
_PORT = 53
_LARGEST_FILE = 64 << 10
Address = IPv4Address | IPv6Address


class NameServers(Protocol):
    """Who may be asked."""

    def servers(self) -> Sequence[Address]:
        """Whom to ask, in order."""


class FixedResolvers:
    """Name servers that somebody chose, or none at all."""

    def __init__(self, servers: Iterable[Address] = ()) -> None:
        self._servers = tuple(servers)[:_MOST_SERVERS]

    def servers(self) -> tuple[Address, ...]:
        return self._servers


class Resolvers:
    """The name servers of the first of some resolver files (resolv.conf(5)) that has a usable one.

    One on a loopback address is usable only if the files name no other: it may be a stub that
    listens in another network namespace than ours.
    """

    def __init__(self, files: Iterable[Path], without: IPv4Address) -> None:
        """`without` is our own address, which must never be asked."""
        self._files = tuple(files)
        self._without = without
        self._seen: tuple[float | None, ...] = ()
        self._servers: tuple[Address, ...] = ()

    def servers(self) -> tuple[Address, ...]:
        """Whom to ask, in order; the files are read only if they have changed."""
        now = tuple(_changed_at(path) for path in self._files)
        if now != self._seen:
            self._seen = now
            self._servers = self._read()
        return self._servers

    def _read(self) -> tuple[Address, ...]:
        found = [
            address
            for path in self._files
            for address in _name_servers(path)
            if address != self._without
        ]
        outside = [address for address in found if not address.is_loopback]
        return tuple(dict.fromkeys(outside or found))[:_MOST_SERVERS]


def _changed_at(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _name_servers(path: Path) -> list[Address]:
    try:
        with path.open(errors="replace") as file:
            lines = file.read(_LARGEST_FILE).splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                found.append(ip_address(words[1]))
            except ValueError:
                continue  # what is no address can't be asked
    return found


class Upstream:
    """Forwards queries to the resolvers."""

    def __init__(
        self, resolvers: NameServers, port: int = _PORT, most: int = MOST_UNDER_WAY
    ) -> None:
        """`most` is how many queries may be under way at once."""
        self._resolvers = resolvers
        self._port = port
        self._most = most
        self._under_way = 0

    async def ask(self, message: bytes, query: Query, *, by_tcp: bool) -> bytes:
        """The first resolver's answer to the query `message`; SERVFAIL when there is none."""
        if self._under_way >= self._most:
            return failure(query)
        self._under_way += 1
        try:
            for server in self._resolvers.servers():
                exchange = self._by_tcp if by_tcp else self._by_udp
                try:
                    async with asyncio.timeout(TRY_SECONDS):
                        return await exchange(server, message, query)
                except (OSError, TimeoutError, asyncio.IncompleteReadError):
                    continue  # the next server may know
        finally:
            self._under_way -= 1
        return failure(query)

    async def _by_udp(self, server: Address, message: bytes, query: Query) -> bytes:
        identifier = secrets.token_bytes(2)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()

        def accept(received: bytes) -> None:
            if not answer.done() and _is_answer(received, identifier, query):
                answer.set_result(received)

        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Listener(accept, answer), remote_addr=(str(server), self._port)
        )
        try:
            transport.sendto(identifier + message[2:])
            return message[:2] + (await answer)[2:]
        finally:
            transport.close()

    async def _by_tcp(self, server: Address, message: bytes, query: Query) -> bytes:
        identifier = secrets.token_bytes(2)
        reader, writer = await asyncio.open_connection(str(server), self._port)
        try:
            writer.write(struct.pack(">H", len(message)) + identifier + message[2:])
            (length,) = struct.unpack(">H", await reader.readexactly(2))
            received = await reader.readexactly(length)
        finally:
            writer.close()
        if not _is_answer(received, identifier, query):
            raise OSError("the resolver answered another question")
        return message[:2] + received[2:]


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, accept: Callable[[bytes], None], answer: "asyncio.Future[bytes]") -> None:
        self._accept = accept
        self._answer = answer

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        self._accept(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)


def _is_answer(received: bytes, identifier: bytes, query: Query) -> bool:
    question = query.question
    return (
        len(received) >= 12
        and received[:2] == identifier
        and bool(received[2] & 0x80)
        and received[12 : 12 + len(question)].lower() == question.lower()
    )


def failure(query: Query) -> bytes:
    """SERVFAIL."""
    answer = Answer(code=dns.SERVER_FAILURE, authoritative=False)
    return dns.write_response(query, answer, query.payload_size)
