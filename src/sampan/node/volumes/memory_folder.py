"""The folder of the node's pods in memory: what must never reach a disk.

/run is not a file system in memory on every machine, so the node makes sure of its own.
"""

import os
from pathlib import Path

from sampan.host import mounts


def keep_in_memory(folder: Path, size: int) -> None:
    """Mount a file system in memory at `folder`, unless there is one. Raises OSError.

    It lives in the node's mount namespace, and so as long as the node; agents come and go.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.path.ismount(folder):
        mounts.mount_tmpfs(str(folder), size=size, mode=0o700)
