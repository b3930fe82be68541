"""How long each node has been silent, by the controller's own clock.

What counts is when a renewed lease was *seen* here, never the time written in it: clocks that
differ or jump must not kill nodes. A controller that could not look itself (it was stalled, or
has only just started) gives every node its full grace again.
"""

from collections.abc import Callable

from sampan.control.controllers.caches import Caches
from sampan.control.controllers.views import Lease, Node
from sampan.kubernetes.machinery.standing_namespaces import NODE_LEASES

PULSE_SECONDS = 0.5
_STALL_SECONDS = 1.0


class Heartbeats:
    """Fed by the caches of leases and nodes; `monotonic` is the clock."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._heard: dict[str, float] = {}
        self._looked = self._since = monotonic()

    def attach(self, caches: Caches) -> None:
        """Follow the caches; to be called before they are filled."""
        caches.leases.listen(self._lease_changed)
        caches.nodes.listen(self._node_changed)

    def pulse(self) -> None:
        """To be called every PULSE_SECONDS: a pulse that comes late tells of a stall."""
        now = self._monotonic()
        if now - self._looked > PULSE_SECONDS + _STALL_SECONDS:
            self._since = now
        self._looked = now

    def silence(self, node: str) -> float:
        """For how many seconds a node could have been heard and was not."""
        self.pulse()
        return self._looked - max(self._heard.get(node, self._since), self._since)

    def _lease_changed(self, old: Lease | None, new: Lease | None) -> None:
        if new is None or new.metadata.namespace != NODE_LEASES:
            return
        if old is None or old.spec.renew_time != new.spec.renew_time:
            self._heard[new.metadata.name] = self._monotonic()

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        if old is None and new is not None:
            self._heard[new.metadata.name] = self._monotonic()
        elif new is None and old is not None:
            self._heard.pop(old.metadata.name, None)
