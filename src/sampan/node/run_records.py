"""From what the engine tells of containers to the runs of a pod. Pure."""

from collections.abc import Iterable

from sampan.engine.contract import ContainerStatus
from sampan.node import pod_state
from sampan.node.pod_state import Run


def run_of(status: ContainerStatus) -> Run:
    labels = status.labels
    return Run(
        container=labels.get(pod_state.LABEL_CONTAINER, ""),
        identifier=status.identifier,
        attempt=int(labels.get(pod_state.LABEL_ATTEMPT, "0")),
        sandbox=int(labels.get(pod_state.LABEL_SANDBOX, "1")),
        delay=float(labels.get(pod_state.LABEL_DELAY, "0")),
        phase=status.phase,
        started=status.started,
        finished=status.finished,
        exit_code=status.exit_code,
        out_of_memory=status.out_of_memory,
        image=status.image,
        image_digest=status.image_digest,
        message=status.message,
    )


def by_container(runs: Iterable[Run]) -> dict[str, tuple[Run, ...]]:
    """Each container's runs, oldest first."""
    found: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.attempt):
        found.setdefault(run.container, []).append(run)
    return {name: tuple(each) for name, each in found.items()}
