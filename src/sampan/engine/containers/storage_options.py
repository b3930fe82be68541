"""How much a container may write to its root: what `--storage-opt` and the machine's owner say."""

from collections.abc import Mapping
from pathlib import Path

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.sizes import binary_size
from sampan.host.project_quota import has_project_quotas

DEFAULT_VARIABLE = "SAMPAN_CONTAINER_SIZE"


def default_root_size(environment: Mapping[str, str], place: Path) -> int:
    """What holds for containers that nothing is said of (`SAMPAN_CONTAINER_SIZE=10G`), 0 for no
    limit. Raises InvalidConfiguration where the file system of `place` has no quotas."""
    size = binary_size(environment.get(DEFAULT_VARIABLE) or "0")
    if size and not has_project_quotas(place):
        raise InvalidConfiguration(
            f"{DEFAULT_VARIABLE} is set, but {place} is on a file system without quotas for "
            "projects: mount it (xfs, ext4) with the option prjquota"
        )
    return size


def root_size(options: Mapping[str, str] | None, default: int) -> int:
    """How many bytes a container may write to its root, 0 for all that there are.

    Raises InvalidConfiguration in Docker's words.
    """
    size = default
    for name, value in (options or {}).items():
        if name.lower() != "size":
            raise InvalidConfiguration(f"unknown option {name[:80]}")
        size = binary_size(value)
    return size
