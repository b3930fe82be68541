"""From the command to an answering API and to Ready nodes; and what the processes then hold."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.cluster import BenchCluster, prepared_cluster, wait_for_default_account
from bench.measurement import Measurement, NotMeasured
from bench.sample_pod import LEFT_ALONE, pod_body
from sampan.foundation.pki.contexts import client_context
from sampan.kubernetes.kinds.resource import PODS

_PATIENCE = 60.0
_PODS = 6000
_AT_ONCE = 16


def measure() -> list[Measurement]:
    rows = []
    for nodes, target in ((1, "≤ 1.5 s"), (3, "≤ 3 s")):
        with prepared_cluster() as cluster:
            answering, ready = _start(cluster, nodes)
            if nodes == 1:
                rows.append(
                    Measurement("up: command to API answering", f"{answering:.2f} s", "≤ 0.8 s")
                )
            plural = "s" if nodes > 1 else ""
            rows.append(
                Measurement(f"up: command to {nodes} node{plural} Ready", f"{ready:.2f} s", target)
            )
            if nodes == 1:
                rows += _memory(cluster)
    return rows


def _start(cluster: BenchCluster, nodes: int) -> tuple[float, float]:
    start = time.perf_counter()
    command = subprocess.Popen(
        cluster.command("up", "--nodes", str(nodes)),
        env=cluster.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    answering = 0.0
    while command.poll() is None and time.perf_counter() - start < _PATIENCE:
        if not answering and _answers(cluster):
            answering = time.perf_counter() - start
        time.sleep(0.02)
    ready = time.perf_counter() - start
    _, errors = command.communicate(timeout=_PATIENCE)
    if command.returncode:
        raise NotMeasured(f"sampan up failed: {errors.strip()[-500:]}")
    return answering, ready


def _answers(cluster: BenchCluster) -> bool:
    address = (str(cluster.instance.loopback_address), cluster.instance.api_port)
    with contextlib.suppress(OSError, ssl.SSLError), socket.create_connection(address, 1) as plain:
        context = client_context(cluster.credentials.authority)
        with context.wrap_socket(plain, server_hostname=address[0]) as secure:
            secure.sendall(b"GET /readyz HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n")
            return b" 200 " in secure.recv(100)
    return False


def _memory(cluster: BenchCluster) -> list[Measurement]:
    """Settled processes of one empty node; a shared page counts by its share (PSS)."""
    time.sleep(2)
    rows, control_plane = [], 0.0
    for role, process in _processes(cluster):
        proportional, resident = _megabytes(process)
        rows.append(
            Measurement(f"memory: {role}", f"{proportional:.0f} MB (RSS {resident:.0f} MB)", "–")
        )
        control_plane += proportional if role.startswith("server") else 0
    rows.append(
        Measurement("memory: control plane, empty", f"{control_plane:.0f} MB PSS", "≤ 120 MB")
    )
    asyncio.run(_fill(cluster))
    full = sum(
        _megabytes(process)[0] for role, process in _processes(cluster) if role.startswith("server")
    )
    rows.append(
        Measurement(
            f"memory: control plane, {_PODS:,} pods that wait", f"{full:.0f} MB PSS", "≤ 250 MB"
        )
    )
    return rows


async def _fill(cluster: BenchCluster) -> None:
    """Make pods that no scheduler takes, and give controllers time to look at them."""
    async with cluster.client() as client:
        await wait_for_default_account(client)
        numbers = iter(range(_PODS))

        async def make() -> None:
            for number in numbers:
                pod = msgspec.json.decode(pod_body(number, LEFT_ALONE))
                await client.create(PODS, pod, namespace="default")

        await asyncio.gather(*(make() for _ in range(_AT_ONCE)))
    await asyncio.sleep(2)


def _processes(cluster: BenchCluster) -> Iterator[tuple[str, int]]:
    """Each role that the supervisor knows, and what these forked in turn."""
    status = cluster.status()
    yield "supervisor", status["supervisor"]
    for item in status["processes"]:
        if item["process"]:
            yield item["role"], item["process"]
            yield from _children(item["role"], item["process"])


def _children(role: str, process: int) -> Iterator[tuple[str, int]]:
    for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
        name = f"{role}: {Path(f'/proc/{child}/comm').read_text().strip()}"
        yield name, int(child)
        yield from _children(name, int(child))


def _megabytes(process: int) -> tuple[float, float]:
    found = {}
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("Pss", "Rss"):
            found[name] = int(rest.split()[0]) / 1024
    return found["Pss"], found["Rss"]
