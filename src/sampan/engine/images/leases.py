"""Who uses which image: a file for each container, in a folder for each owner of containers.

    LEASES/OWNER/CONTAINER    the digest of the image's manifest

A lease outlives both processes. What an image is, is not known here.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path


class Leases:
    def __init__(self, folder: Path) -> None:
        """Raises OSError."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def take(self, owner: str, container: str, manifest: str) -> None:
        """Raises OSError."""
        folder = self._of(owner)
        folder.mkdir(exist_ok=True, mode=0o700)
        (folder / container).write_text(manifest)

    def release(self, owner: str, container: str) -> None:
        (self._of(owner) / container).unlink(missing_ok=True)

    def retain(self, owner: str, containers: Iterable[str]) -> None:
        """Give back all that this owner has but those of `containers`."""
        folder = self._of(owner)
        if folder.is_dir():
            for container in set(os.listdir(folder)).difference(containers):
                (folder / container).unlink(missing_ok=True)

    def all(self) -> Iterator[tuple[str, str]]:
        """Every container and the manifest that it holds."""
        for path in sorted(self._folder.glob("*/*")):
            manifest = path.read_text()
            # A crash while it was written leaves it empty: no container came of it.
            if manifest:
                yield path.name, manifest

    def manifests(self) -> set[str]:
        return {manifest for _, manifest in self.all()}

    def holders(self, manifests: set[str]) -> tuple[str, ...]:
        """The containers that hold any of these images."""
        return tuple(container for container, manifest in self.all() if manifest in manifests)

    def _of(self, owner: str) -> Path:
        return self._folder / hashlib.sha256(owner.encode()).hexdigest()[:32]
