"""A load generator: keep-alive TLS connections that each send the next request at once.

As thin as it can be, so that the server is what is measured: one protocol object a
connection, requests prepared as bytes, answers parsed by httptools and then forgotten.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from typing import cast

import httptools
import msgspec


class UnexpectedAnswer(Exception):
    """The server answered with another status than the work needs, or hung up."""


class Result(msgspec.Struct):
    """What a run came to: seconds in all, seconds a request, bytes of bodies."""

    seconds: float = 0.0
    latencies: list[float] = []
    body_bytes: int = 0

    @property
    def requests(self) -> int:
        return len(self.latencies)


class _Connection(asyncio.Protocol):
    """Takes requests from a shared supply until it is empty."""

    def __init__(self, supply: Iterator[bytes], result: Result, wanted_status: int) -> None:
        self._supply = supply
        self._result = result
        self._wanted = wanted_status
        self._transport: asyncio.Transport | None = None
        self._sent = 0.0
        self._kept: list[bytes] = []
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def send_next(self) -> None:
        request = next(self._supply, None)
        assert self._transport is not None
        if request is None:
            self.finished.set_result(None)
            self._transport.close()
            return
        self._parser = httptools.HttpResponseParser(self)
        self._kept = []
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._result.body_bytes += len(body)
        if len(self._kept) < 4:
            self._kept.append(body)

    def on_message_complete(self) -> None:
        self._result.latencies.append(time.perf_counter() - self._sent)
        status = self._parser.get_status_code()
        if status != self._wanted:
            text = b"".join(self._kept)[:500].decode(errors="replace")
            self._fail(UnexpectedAnswer(f"{status} instead of {self._wanted}: {text}"))
        else:
            # The parser is still in the middle of this message when it says so.
            asyncio.get_running_loop().call_soon(self.send_next)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(UnexpectedAnswer(f"the server hung up: {exc}"))

    def _fail(self, error: Exception) -> None:
        if not self.finished.done():
            self.finished.set_exception(error)


async def run(
    address: tuple[str, int],
    context: ssl.SSLContext,
    requests: Iterator[bytes],
    *,
    connections: int,
    wanted_status: int,
) -> Result:
    """Send all of `requests` over `connections`, each on whichever is free.

    The clock starts when all connections stand. Raises UnexpectedAnswer, OSError.
    """
    loop = asyncio.get_running_loop()
    result = Result()
    make: Callable[[], _Connection] = lambda: _Connection(requests, result, wanted_status)  # noqa: E731
    protocols = []
    for _ in range(connections):
        _, protocol = await loop.create_connection(
            make, *address, ssl=context, server_hostname=address[0]
        )
        protocols.append(protocol)
    start = time.perf_counter()
    for protocol in protocols:
        protocol.send_next()
    await asyncio.gather(*(protocol.finished for protocol in protocols))
    result.seconds = time.perf_counter() - start
    return result


def request(method: str, path: str, body: bytes = b"", accept: str = "application/json") -> bytes:
    """An HTTP/1.1 request as bytes."""
    head = f"{method} {path} HTTP/1.1\r\nHost: api\r\nAccept: {accept}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body
