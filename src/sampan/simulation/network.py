"""The wires of a simulated cluster: what is sent on them can be late, lost or cut off.

A request that is lost may have been carried out before its answer was lost: that is the fault
that makes things twice, where somebody is careless. All chance comes from one seeded source.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from random import Random

import msgspec

from sampan.foundation.wire.message import Request, Response, Transport

_BROKEN = "the wire is cut"
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """How bad the wires are: seconds of delay at most, for requests and answers and for what a
    watch tells; the share of requests that never arrive, and of writes whose answer never does."""

    delay: float = 0.0
    watch_delay: float = 0.0
    lost_requests: float = 0.0
    lost_answers: float = 0.0


PERFECT = Faults()


class Network:
    """All wires of one cluster. `faults` may be changed while they are used."""

    def __init__(self, random: Random) -> None:
        self.faults = PERFECT
        self.random = random
        self._cut: set[str] = set()
        self._streams: dict[str, set[_Stream]] = defaultdict(set)

    def is_cut(self, name: str) -> bool:
        return name in self._cut

    def cut(self, name: str) -> None:
        """Nothing passes any more on wires of this name, and what streams on them breaks."""
        self._cut.add(name)
        self.break_streams(name)

    def mend(self, name: str) -> None:
        """Wires of this name work again."""
        self._cut.discard(name)

    def break_streams(self, name: str) -> None:
        """What streams on wires of this name breaks off."""
        for stream in tuple(self._streams[name]):
            stream.break_off()

    def stream(self, name: str, source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """A stream on a wire, which breaks when the wire does."""
        stream = _Stream(source, self, self._streams[name].discard)
        self._streams[name].add(stream)
        return stream


class Wire:
    """A `Transport` on a network. `target` gives the transport that answers now."""

    def __init__(self, network: Network, name: str, target: Callable[[], Transport]) -> None:
        self._network = network
        self._name = name
        self._target = target

    async def send(self, request: Request) -> Response:
        """Raises ConnectionError for what is lost."""
        network, faults = self._network, self._network.faults
        if faults.delay:
            await asyncio.sleep(network.random.random() * faults.delay)
        self._check()
        if network.random.random() < faults.lost_requests:
            raise ConnectionError("the request was lost")
        response = await self._target().send(request)
        if request.method in _WRITES and network.random.random() < faults.lost_answers:
            raise ConnectionError("the answer was lost")
        if faults.delay:
            await asyncio.sleep(network.random.random() * faults.delay)
        self._check()
        if isinstance(response.body, AsyncIterator):
            response.body = network.stream(self._name, response.body)
        return response

    async def close(self) -> None:
        """Nothing is held open."""

    def _check(self) -> None:
        if self._network.is_cut(self._name):
            raise ConnectionError(_BROKEN)


class _Stream(AsyncIterator[bytes]):
    """A stream that can be broken off while its reader waits."""

    def __init__(
        self, source: AsyncIterator[bytes], network: Network, ended: Callable[["_Stream"], None]
    ) -> None:
        self._source = source
        self._network = network
        self._ended = ended
        self._reading: asyncio.Task[bytes] | None = None
        self._broken = False

    def break_off(self) -> None:
        """The reader gets a ConnectionError, now or when it reads on."""
        self._broken = True
        if self._reading is not None:
            self._reading.cancel()

    async def __anext__(self) -> bytes:
        if self._broken:
            raise ConnectionError(_BROKEN)
        self._reading = asyncio.ensure_future(self._next())
        try:
            return await self._reading
        except asyncio.CancelledError:
            await self.aclose()
            if self._broken:
                raise ConnectionError(_BROKEN) from None
            raise
        except StopAsyncIteration:
            self._ended(self)
            raise
        finally:
            self._reading = None

    async def aclose(self) -> None:
        """Let go of the source."""
        self._ended(self)
        close = getattr(self._source, "aclose", None)
        if close is not None:
            with contextlib.suppress(RuntimeError):  # somebody is just reading from it
                await close()

    async def _next(self) -> bytes:
        piece = await anext(self._source)
        delay = self._network.faults.watch_delay
        if delay:
            await asyncio.sleep(self._network.random.random() * delay)
        return piece
