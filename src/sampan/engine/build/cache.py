"""What earlier builds made: from the digest of a step's inputs to the layer that came out.

A key covers all that a step depends on; times and names of images are no part of it. An entry
whose layer has been removed since counts for nothing.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec


class CachedLayer(msgspec.Struct, frozen=True):
    """The layer of a step; `diff_id` is empty for a step that changed nothing."""

    diff_id: str
    size: int
    created: str


def cache_key(*parts: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


class BuildCache:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def find(self, key: str) -> CachedLayer | None:
        try:
            return msgspec.json.decode((self._folder / key).read_bytes(), type=CachedLayer)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def keep(self, key: str, layer: CachedLayer) -> None:
        fresh = self._folder / f"{key}.new"
        fresh.write_bytes(msgspec.json.encode(layer))
        os.rename(fresh, self._folder / key)
