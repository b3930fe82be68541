"""One change to a thousand watchers over TLS, and how many deliveries a second can be kept up."""

import asyncio
import time

import uvloop

from bench import tls_client
from bench.api_process import ApiProcess, running_api
from bench.measurement import Measurement, milliseconds, quantile, rate
from bench.sample_pod import NAMESPACE, pod_body

_WATCHERS = 1000
_SINGLE = 5
_SUSTAINED = 100
_PATIENCE = 60.0
_COLLECTION = f"/api/v1/namespaces/{NAMESPACE}/pods"
_WATCH = tls_client.request("GET", f"{_COLLECTION}?watch=true")
_EVENT = b'"type":"ADDED"'


class _Watcher(asyncio.Protocol):
    """Counts the events that arrive; an event may be cut anywhere between two reads."""

    def __init__(self, arrivals: "_Arrivals") -> None:
        self._arrivals = arrivals
        self._tail = b""
        self.answered = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(_WATCH)  # type: ignore[attr-defined]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.answered.done():
            self.answered.set_result(None)
        data = self._tail + data
        count = data.count(_EVENT)
        self._tail = data[-len(_EVENT) + 1 :]
        if count:
            self._arrivals.add(count)


class _Arrivals:
    """Tells when as many events arrived as are waited for."""

    def __init__(self) -> None:
        self.count = 0
        self._wanted = 0
        self._done: asyncio.Future[float] | None = None

    def add(self, count: int) -> None:
        self.count += count
        if self._done is not None and not self._done.done() and self.count >= self._wanted:
            self._done.set_result(time.perf_counter())

    async def wait_for(self, count: int) -> float:
        """When `count` more events than now had arrived."""
        self._wanted = self.count + count
        self._done = asyncio.get_running_loop().create_future()
        return await asyncio.wait_for(self._done, _PATIENCE)


def measure() -> list[Measurement]:
    with running_api() as server:
        single, sustained = uvloop.run(_measure(server))
    return [
        Measurement(
            f"watch: one change seen by each of {_WATCHERS:,} watchers",
            milliseconds(quantile(single, 0.5)),
            "≤ 100 ms",
        ),
        Measurement(
            f"watch: deliveries kept up, {_WATCHERS:,} watchers",
            rate(_SUSTAINED * _WATCHERS, sustained),
            "≥ 30,000/s",
        ),
    ]


async def _measure(server: ApiProcess) -> tuple[list[float], float]:
    loop = asyncio.get_running_loop()
    arrivals = _Arrivals()
    watchers = []
    for _ in range(_WATCHERS):
        _, watcher = await loop.create_connection(
            lambda: _Watcher(arrivals),
            *server.address,
            ssl=server.context,
            server_hostname=server.address[0],
        )
        watchers.append(watcher)
    await asyncio.wait_for(asyncio.gather(*(w.answered for w in watchers)), _PATIENCE)
    single = [await _change(server, arrivals, number, number + 1) for number in range(_SINGLE)]
    sustained = await _change(server, arrivals, _SINGLE, _SINGLE + _SUSTAINED)
    for watcher in watchers:
        watcher.transport.close()
    return single, sustained


async def _change(server: ApiProcess, arrivals: _Arrivals, first: int, last: int) -> float:
    """Seconds from the first create until every watcher has them all."""
    creates = [
        tls_client.request("POST", _COLLECTION, pod_body(number)) for number in range(first, last)
    ]
    start = time.perf_counter()
    _, end = await asyncio.gather(
        server.send(iter(creates), connections=4, status=201),
        arrivals.wait_for(_WATCHERS * (last - first)),
    )
    return end - start
