"""What earlier builds made: from the digest of a step's inputs to the layer that came out.

A key covers all that a step depends on, by contents; times, paths and names of images are no
part of it, so that it means the same on every machine. The layers of the records are pinned in
the image store: they stay until the record is pruned.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from sampan.engine.images.pins import PinSet

Pinned = Callable[[], AbstractContextManager[PinSet]]


class CachedStep(msgspec.Struct, frozen=True, kw_only=True):
    """`diff_id` is "" for a step that left no layer; `chain` is of it and all below it.

    `made` and `used` are seconds since the epoch; `created` is the time in the image.
    """

    diff_id: str = ""
    chain: str = ""
    size: int = 0
    created: str
    told: str
    below: str = ""
    made: float = 0
    used: float = 0
    uses: int = 0


def cache_key(*parts: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


class BuildCache:
    """`pinned` gives pins of the image store, `has` whether a blob is in it."""

    def __init__(self, folder: Path, pinned: Pinned, has: Callable[[str], bool]) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._pinned = pinned
        self._has = has
        self._steps: dict[str, CachedStep] = {}
        self._pins: dict[str, AbstractContextManager[PinSet]] = {}
        for path in folder.iterdir():
            self._read(path)

    def find(self, key: str, now: float) -> CachedStep | None:
        """A record whose layer is there; it counts as used."""
        step = self._steps.get(key)
        if step is None:
            return None
        if step.diff_id and not self._has(step.diff_id):
            self.discard(key)
            return None
        used = msgspec.structs.replace(step, used=now, uses=step.uses + 1)
        self._write(key, used)
        return used

    def keep(self, key: str, step: CachedStep) -> None:
        """Take a record in, instead of an earlier one. Its layer is in the store."""
        self.discard(key)
        self._write(key, step)
        self._pin(key, step)

    def discard(self, key: str) -> None:
        """Forget a record and let go of its layer; no error if there is none."""
        self._steps.pop(key, None)
        (self._folder / key).unlink(missing_ok=True)
        pins = self._pins.pop(key, None)
        if pins is not None:
            pins.__exit__(None, None, None)

    def steps(self) -> Iterator[tuple[str, CachedStep]]:
        yield from tuple(self._steps.items())

    def _read(self, path: Path) -> None:
        try:
            step = msgspec.json.decode(path.read_bytes(), type=CachedStep)
        except (msgspec.DecodeError, OSError):
            path.unlink(missing_ok=True)  # a write that was interrupted, or an older form
            return
        if step.diff_id and not self._has(step.diff_id):
            path.unlink(missing_ok=True)
            return
        self._steps[path.name] = step
        self._pin(path.name, step)

    def _pin(self, key: str, step: CachedStep) -> None:
        if step.diff_id:
            manager = self._pinned()
            manager.__enter__().add(step.diff_id, step.chain)
            self._pins[key] = manager

    def _write(self, key: str, step: CachedStep) -> None:
        fresh = self._folder / f"{key}.new"
        fresh.write_bytes(msgspec.json.encode(step))
        os.rename(fresh, self._folder / key)
        self._steps[key] = step
