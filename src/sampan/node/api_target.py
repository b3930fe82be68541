"""The pod and container that a request to the node's API is about, or why there is none."""

from sampan.node.pod_manager import PodManager
from sampan.node.pod_state import Run
from sampan.node.pod_worker import PodWorker


class Refused(Exception):
    """An answer other than success, with a message for the caller."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def target_pod(pods: PodManager, namespace: str, pod: str) -> PodWorker:
    """Raises Refused (404)."""
    worker = pods.worker(namespace, pod)
    if worker is None:
        raise Refused(404, f'pod "{namespace}/{pod}" is not on this node')
    return worker


def target_runs(
    pods: PodManager, namespace: str, pod: str, container: str
) -> tuple[PodWorker, tuple[Run, ...]]:
    """The runs of a container that had a process, the latest last: one at least.

    Raises Refused (404, 400).
    """
    worker = target_pod(pods, namespace, pod)
    if container not in {item.name for item in worker.pod.all_containers}:
        raise Refused(404, f'container "{container}" not found in pod "{namespace}/{pod}"')
    runs = tuple(run for run in worker.runs.by_container().get(container, ()) if not run.reason)
    if not runs:
        raise Refused(400, f'container "{container}" in pod "{pod}" is waiting to start')
    return worker, runs
