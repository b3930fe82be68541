"""Pods on one node: one after another, and 60 at once; what counts is what a watch sees."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import msgspec
import uvloop

from bench.cluster import IMAGE, BenchCluster, running_cluster, wait_for_default_account
from bench.measurement import Measurement, spread
from sampan.kubernetes.client.api_client import ApiClient
from sampan.kubernetes.client.contract import Object
from sampan.kubernetes.kinds.resource import PODS

_ONE_BY_ONE = 30
_AT_ONCE = 60
_CONNECTIONS = 8
_PATIENCE = 120.0


class _Metadata(msgspec.Struct, frozen=True):
    name: str


class _Status(msgspec.Struct, frozen=True):
    phase: str = ""


class _Pod(msgspec.Struct, frozen=True):
    metadata: _Metadata
    status: _Status = _Status()


class _Sightings:
    """When a watch first showed each pod running, and which pods are gone."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Future[float]] = {}
        self._gone: dict[str, asyncio.Future[None]] = {}

    def running(self, name: str) -> "asyncio.Future[float]":
        return self._running.setdefault(name, asyncio.get_running_loop().create_future())

    def gone(self, name: str) -> "asyncio.Future[None]":
        return self._gone.setdefault(name, asyncio.get_running_loop().create_future())

    async def follow(self, client: ApiClient) -> None:
        version = (await client.list(PODS, "default")).resource_version
        async for event in client.watch(PODS, "default", resource_version=version):
            seen = time.perf_counter()
            if event.type == "BOOKMARK":
                continue
            pod = msgspec.json.decode(event.object, type=_Pod)
            running, gone = self.running(pod.metadata.name), self.gone(pod.metadata.name)
            if pod.status.phase == "Running" and not running.done():
                running.set_result(seen)
            if event.type == "DELETED" and not gone.done():
                gone.set_result(None)


def measure() -> list[Measurement]:
    with running_cluster(1) as cluster:
        cluster.build_image()
        single, at_once = uvloop.run(_measure(cluster))
    return [
        Measurement("one pod: create to Running seen by a watch", spread(single), "p50 ≤ 80 ms"),
        Measurement(
            f"{_AT_ONCE} pods at once on one node",
            f"{at_once:.2f} s ({_AT_ONCE / at_once:.0f} pods/s)",
            "≤ 3 s",
        ),
    ]


async def _measure(cluster: BenchCluster) -> tuple[list[float], float]:
    async with cluster.client() as client, _following(client) as sightings:
        await wait_for_default_account(client)
        single = []
        for number in range(_ONE_BY_ONE):
            name = f"single-{number}"
            start = time.perf_counter()
            await client.create(PODS, _pod(name), "default")
            single.append(await sightings.running(name) - start)
            await client.delete(PODS, name, "default", grace_seconds=0)
            await sightings.gone(name)
        names = [f"many-{number}" for number in range(_AT_ONCE)]
        start = time.perf_counter()
        await _create_all(client, names)
        seen = await asyncio.gather(*(sightings.running(name) for name in names))
        return single[1:], max(seen) - start


async def _create_all(client: ApiClient, names: list[str]) -> None:
    """Over a few connections, as users' clients do: a handshake costs more than a create."""
    few = asyncio.Semaphore(_CONNECTIONS)

    async def create(name: str) -> None:
        async with few:
            await client.create(PODS, _pod(name), "default")

    await asyncio.gather(*(create(name) for name in names))


@contextlib.asynccontextmanager
async def _following(client: ApiClient) -> AsyncIterator[_Sightings]:
    """Sightings, kept up to date while the block runs; bounded in time as a whole."""
    sightings = _Sightings()
    follower = asyncio.create_task(sightings.follow(client))
    await asyncio.sleep(0.5)
    try:
        async with asyncio.timeout(_PATIENCE):
            yield sightings
    finally:
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)


def _pod(name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {"name": "main", "image": IMAGE, "command": ["/bin/sleep", "3600"]},
            ],
        },
    }
