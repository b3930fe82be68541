"""Which pods new traffic may be routed to, as the EndpointSlices say.

A pod that is being deleted waits here for its address to leave the slices, so that no
connection is opened to a container that has got its stop signal.
"""

from collections import Counter
from collections.abc import Callable

from sampan.node.cluster_view import EndpointSlice


class EndpointRouting:
    """Fed with every change of a slice. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._routed: Counter[str] = Counter()
        self._last_routed: dict[str, float] = {}
        self._watchers: dict[str, Callable[[], None]] = {}

    def slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        before, after = ready_pods(old), ready_pods(new)
        for uid in after - before:
            self._routed[uid] += 1
        for uid in before - after:
            self._routed[uid] -= 1
            if self._routed[uid] <= 0:
                del self._routed[uid]
                self._left(uid)

    def _left(self, uid: str) -> None:
        if uid in self._watchers:
            self._last_routed[uid] = self._clock()
            self._watchers[uid]()

    def is_routed(self, uid: str) -> bool:
        return uid in self._routed

    def last_routed(self, uid: str) -> float | None:
        """When the pod left the slices; None when it never stood in one."""
        return self._last_routed.get(uid)

    def watch(self, uid: str, left: Callable[[], None]) -> None:
        """Call `left` when the pod is no longer routed; until `forget`."""
        self._watchers[uid] = left

    def forget(self, uid: str) -> None:
        self._watchers.pop(uid, None)
        self._last_routed.pop(uid, None)


def ready_pods(item: EndpointSlice | None) -> set[str]:
    """The uids of the pods that a slice offers to new connections."""
    if item is None:
        return set()
    return {
        endpoint.target_ref.uid
        for endpoint in item.endpoints
        if endpoint.is_ready and endpoint.target_ref and endpoint.target_ref.kind == "Pod"
    }
