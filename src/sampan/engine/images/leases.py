"""Who uses which image: a file for each container, in a folder for each owner of containers.

    LEASES/OWNER/CONTAINER    the digest of the image's manifest

A lease outlives both processes. What an image is, is not known here.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path


class Leases:
    """The folder has one owner process, which reads it once."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A crash while a lease was written leaves it empty: no container came of it.
        self._held = {
            (path.parent.name, path.name): manifest
            for path in folder.glob("*/*")
            if (manifest := path.read_text())
        }

    def take(self, owner: str, container: str, manifest: str) -> None:
        """Raises OSError."""
        name = _folder_name(owner)
        (self._folder / name).mkdir(exist_ok=True, mode=0o700)
        (self._folder / name / container).write_text(manifest)
        self._held[name, container] = manifest

    def release(self, owner: str, container: str) -> None:
        name = _folder_name(owner)
        self._held.pop((name, container), None)
        (self._folder / name / container).unlink(missing_ok=True)

    def retain(self, owner: str, containers: Iterable[str]) -> None:
        """Give back all that this owner has but those of `containers`."""
        folder = self._folder / _folder_name(owner)
        if folder.is_dir():
            for container in set(os.listdir(folder)).difference(containers):
                self.release(owner, container)

    def manifests(self) -> set[str]:
        return set(self._held.values())

    def holders(self, manifests: set[str]) -> tuple[str, ...]:
        """The containers that hold any of these images."""
        return tuple(
            container for (_, container), held in sorted(self._held.items()) if held in manifests
        )


def _folder_name(owner: str) -> str:
    return hashlib.sha256(owner.encode()).hexdigest()[:32]
