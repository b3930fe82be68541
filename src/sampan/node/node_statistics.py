"""What the node and its pods use now, in the form of the kubelet's /stats/summary."""

from typing import Any

from sampan.engine.contract import ContainerNotFound, Engine, EngineError, Usage
from sampan.node.pod_manager import PodManager
from sampan.node.pod_worker import PodWorker
from sampan.node.settings import AgentSettings

Object = dict[str, Any]


async def summary(settings: AgentSettings, engine: Engine, pods: PodManager) -> Object:
    found = [await _of_pod(engine, worker) for worker in pods.workers()]
    cpu = sum(item["cpu"]["usageCoreNanoSeconds"] for item in found)
    memory = sum(item["memory"]["workingSetBytes"] for item in found)
    return {
        "node": {"nodeName": settings.node_name, **_usage(Usage(cpu=cpu, memory=memory, pids=0))},
        "pods": found,
    }


async def _of_pod(engine: Engine, worker: PodWorker) -> Object:
    containers: list[Object] = []
    total = Usage(cpu=0, memory=0, pids=0)
    for name, runs in worker.runs.by_container().items():
        if not runs[-1].is_running:
            continue
        try:
            used = await engine.usage(runs[-1].identifier)
        except (ContainerNotFound, EngineError):
            # It ended between the two questions.
            continue
        total = Usage(
            cpu=total.cpu + used.cpu, memory=total.memory + used.memory, pids=total.pids + used.pids
        )
        containers.append({"name": name, **_usage(used)})
    metadata = worker.pod.metadata
    return {
        "podRef": {
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
        },
        "containers": containers,
        **_usage(total),
        "process_stats": {"process_count": total.pids},
    }


def _usage(used: Usage) -> Object:
    return {
        "cpu": {"usageCoreNanoSeconds": used.cpu},
        "memory": {"workingSetBytes": used.memory, "usageBytes": used.memory},
    }
