"""A server that starts over a hundred thousand objects: until it answers, and a list among them."""

import asyncio
import tempfile
import time
from pathlib import Path

import msgspec
import uvloop

from bench import tls_client
from bench.api_process import ApiProcess, serving, store_path
from bench.measurement import Measurement, spread
from bench.sample_pod import NAMESPACE
from sampan.store.sqlite import SqliteStore

_OBJECTS = 100_000
_AT_ONCE = 2000
_STARTS = 3
_LISTS = 101


def measure() -> list[Measurement]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        uvloop.run(_fill(store_path(folder)))
        starts, memory = [], 0.0
        for _ in range(_STARTS):
            start = time.perf_counter()
            with serving(folder) as server:
                starts.append(time.perf_counter() - start)
                memory = server.memory()
                selected = uvloop.run(_select(server))
    return [
        Measurement(
            f"API: start with {_OBJECTS:,} objects until it answers", spread(starts), "≤ 3 s"
        ),
        Measurement(f"API memory (PSS): {_OBJECTS:,} objects", f"{memory:.0f} MB", "–"),
        Measurement(
            f"API: selector LIST that matches 1 of {_OBJECTS:,}", spread(selected), "≤ 5 ms"
        ),
    ]


async def _fill(path: Path) -> None:
    store = await SqliteStore.open(path)
    for first in range(0, _OBJECTS, _AT_ONCE):
        await asyncio.gather(
            *(
                store.put(f"/core/pods/{NAMESPACE}/pod-{number}".encode(), _pod(number))
                for number in range(first, first + _AT_ONCE)
            )
        )
    await store.close()


def _pod(number: int) -> bytes:
    """A small one, as it lies in the store."""
    container = {
        "name": "main",
        "image": "registry.example.org/team/service:1.2.3",
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }
    return msgspec.json.encode(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"pod-{number}",
                "namespace": NAMESPACE,
                "uid": f"00000000-0000-4000-8000-{number:012d}",
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {"app": f"app-{number % 100}", "number": str(number)},
            },
            "spec": {
                "nodeName": f"node-{number % 50}",
                "containers": [container],
                "restartPolicy": "Always",
                "terminationGracePeriodSeconds": 30,
                "dnsPolicy": "ClusterFirst",
                "schedulerName": "default-scheduler",
            },
            "status": {"phase": "Running", "podIP": "10.42.0.1", "qosClass": "Burstable"},
        }
    )


async def _select(server: ApiProcess) -> list[float]:
    one = tls_client.request("GET", "/api/v1/pods?labelSelector=number%3D77777")
    done = await server.send(iter([one] * _LISTS), connections=1, status=200)
    return done.latencies
