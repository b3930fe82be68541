"""How far the store's own watch of etcd has come, and who waits for it.

A writer learns from etcd only the revision of its write. It is answered when the watch has told
everyone of it, by the change as the watch brought it. Knows neither etcd nor values.
"""

import contextlib
from collections.abc import Iterator

from sampan.foundation.revision_waiters import RevisionWaiters
from sampan.store.contract import Change


class Progress:
    """The revision that has been told, and what came for the keys that are being written."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self._writers: dict[bytes, int] = {}
        self._landed: dict[bytes, list[Change]] = {}
        self._waiters = RevisionWaiters()

    def advance(self, changes: tuple[Change, ...], revision: int) -> None:
        """Everything up to `revision` has been told, `changes` just now."""
        for change in changes:
            if change.key in self._writers:
                self._landed[change.key].append(change)
        self.revision = max(self.revision, revision)
        self._waiters.wake(self.revision)

    async def reached(self, revision: int) -> None:
        """Return once everything up to a revision has been told."""
        if self.revision < revision:
            await self._waiters.wait(revision)

    @contextlib.contextmanager
    def writing(self, key: bytes) -> Iterator[None]:
        """Keep what comes for `key` meanwhile."""
        self._writers[key] = self._writers.get(key, 0) + 1
        self._landed.setdefault(key, [])
        try:
            yield
        finally:
            self._writers[key] -= 1
            if not self._writers[key]:
                del self._writers[key], self._landed[key]

    def landed(self, key: bytes, revision: int) -> Change | None:
        """The change of a key that is being written; None when the watch had a gap there."""
        found = (change for change in self._landed[key] if change.revision == revision)
        return next(found, None)
