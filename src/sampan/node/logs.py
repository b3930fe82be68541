"""Where containers' logs lie: a folder a container of a pod, a file a run,
NAMESPACE_POD_UID/CONTAINER/ATTEMPT.log.
"""

from pathlib import Path

from sampan.host.tree_removal import remove_tree
from sampan.kubernetes.machinery.metadata import Metadata


def pod_folder(logs: Path, pod: Metadata) -> Path:
    return logs / f"{pod.namespace}_{pod.name}_{pod.uid}"


def log_path(logs: Path, pod: Metadata, container: str, attempt: int) -> Path:
    return pod_folder(logs, pod) / container / f"{attempt}.log"


def remove_pod(folder: Path) -> None:
    """Delete the logs of all containers of a pod."""
    if folder.exists():
        remove_tree(folder)
