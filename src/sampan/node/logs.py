"""Where containers' logs lie, how they are turned over, and what of them is kept.

One folder a container of a pod, one file a run: NAMESPACE_POD_UID/CONTAINER/ATTEMPT.log. A file
that has grown too large is renamed and the engine opens a new one, so that no line is lost.
"""

import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from sampan.kubernetes.machinery.metadata import Metadata

_TURNED = re.compile(r"\d+\.log\.(\d+)")


def pod_folder(logs: Path, pod: Metadata) -> Path:
    return logs / f"{pod.namespace}_{pod.name}_{pod.uid}"


def log_path(logs: Path, pod: Metadata, container: str, attempt: int) -> Path:
    return pod_folder(logs, pod) / container / f"{attempt}.log"


async def turn_over(
    path: Path, *, limit: int, files: int, reopen: Callable[[], Awaitable[None]]
) -> bool:
    """Rename a log that has passed `limit` bytes; `files` are kept with the living one.

    Raises OSError, and what `reopen` raises.
    """
    if not path.exists() or path.stat().st_size < limit:
        return False
    turned = sorted(_turned(path), reverse=True)
    for number in turned:
        older = path.with_name(f"{path.name}.{number}")
        if number + 1 >= files:
            older.unlink()
        else:
            older.rename(path.with_name(f"{path.name}.{number + 1}"))
    path.rename(path.with_name(f"{path.name}.1"))
    await reopen()
    return True


def _turned(path: Path) -> list[int]:
    found = (_TURNED.fullmatch(item.name) for item in path.parent.glob(f"{path.name}.*"))
    return [int(match[1]) for match in found if match]


def remove_run(path: Path) -> None:
    """Delete the log of a run with all its turned-over parts."""
    for item in path.parent.glob(f"{path.name}*"):
        item.unlink(missing_ok=True)


def remove_pod(folder: Path) -> None:
    """Delete the logs of all containers of a pod."""
    if folder.exists():
        shutil.rmtree(folder)
