"""The API alone, over TLS: creates, gets, lists, selectors, memory.

What is measured is SQLite on the disk; the figures of the same server over one member of etcd
stand beside it.
"""

import itertools
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import uvloop

from bench import tls_client
from bench.api_process import ApiProcess, running_api
from bench.etcd_process import running_etcd
from bench.measurement import Measurement, NotMeasured, milliseconds, quantile, rate, spread
from bench.sample_pod import NAMESPACE, pod_body

_CONNECTIONS = 32
_PODS = 6000
_WARM_UP = 300
_GETS = 20_000
_LISTS = 11
_COLLECTION = f"/api/v1/namespaces/{NAMESPACE}/pods"


def measure() -> list[Measurement]:
    with running_api() as server:
        rows = uvloop.run(_measure(server))
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        try:
            with (
                running_etcd(Path(folder)) as endpoint,
                running_api(f"etcd://{endpoint}") as server,
            ):
                beside = uvloop.run(_over_etcd(server))
        except NotMeasured:
            return rows
    return [_with_etcd(row, beside) for row in rows]


async def _over_etcd(server: ApiProcess) -> dict[str, str]:
    return {row.work: row.figure for row in (await _creates(server), await _gets(server))}


def _with_etcd(row: Measurement, beside: dict[str, str]) -> Measurement:
    if row.work not in beside:
        return row
    return msgspec.structs.replace(row, reference=f"over etcd: {beside[row.work]}")


async def _measure(server: ApiProcess) -> list[Measurement]:
    empty = server.memory()
    rows = [await _creates(server), await _gets(server), *await _lists(server)]
    figure = f"{empty:.0f} MB, {server.memory():.0f} MB"
    return [*rows, Measurement(f"API memory (PSS): empty, {_PODS:,} pods", figure, "≤ 250 MB")]


async def _creates(server: ApiProcess) -> Measurement:
    def creates(first: int, last: int) -> Iterator[bytes]:
        return (
            tls_client.request("POST", _COLLECTION, pod_body(number))
            for number in range(first, last)
        )

    await server.send(creates(_PODS, _PODS + _WARM_UP), connections=_CONNECTIONS, status=201)
    # Made beforehand: the generator must not compete with the server for the machine.
    prepared = iter(list(creates(0, _PODS)))
    before = server.processor_seconds()
    done = await server.send(prepared, connections=_CONNECTIONS, status=201)
    spent = server.processor_seconds() - before
    return Measurement(
        f"API: create pods, {_CONNECTIONS} connections, TLS, durable",
        _figure(done, spent),
        "≥ 3,000/s",
    )


async def _gets(server: ApiProcess) -> Measurement:
    chance = random.Random(1)
    prepared = [
        tls_client.request("GET", f"{_COLLECTION}/pod-{chance.randrange(_PODS)}")
        for _ in range(1000)
    ]
    requests = itertools.islice(itertools.cycle(prepared), _GETS)
    before = server.processor_seconds()
    done = await server.send(requests, connections=_CONNECTIONS, status=200)
    spent = server.processor_seconds() - before
    return Measurement(
        f"API: GET one pod, {_CONNECTIONS} connections, TLS",
        _figure(done, spent),
        "≥ 15,000/s",
    )


def _figure(done: tls_client.Result, spent: float) -> str:
    """The processor's time tells what the server takes, whoever else uses the machine."""
    own = f"{spent / done.requests * 1e6:,.0f} µs of CPU each"
    return f"{rate(done.requests, done.seconds)}, {spread(done.latencies)}, {own}"


async def _lists(server: ApiProcess) -> list[Measurement]:
    whole = tls_client.request("GET", "/api/v1/pods")
    done = await server.send(iter([whole] * _LISTS), connections=1, status=200)
    size = done.body_bytes / done.requests
    median = quantile(done.latencies, 0.5)
    one = tls_client.request("GET", "/api/v1/pods?labelSelector=number%3D7")
    selected = await server.send(iter([one] * _LISTS), connections=1, status=200)
    return [
        Measurement(
            f"API: LIST {_PODS + _WARM_UP:,} pods, {size / 1e6:.0f} MB of JSON",
            f"{milliseconds(median)} ({size / median / 1e6:,.0f} MB/s)",
            "≤ 30 ms (≥ 800 MB/s)",
        ),
        Measurement(
            f"API: selector LIST that matches 1 of {_PODS + _WARM_UP:,}",
            spread(selected.latencies),
            "≤ 5 ms (of 100,000)",
        ),
    ]
