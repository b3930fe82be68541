"""Which services have changed, and the EndpointSlices of each.

Both the packet rules and the names of the cluster are worked out service by service; this
gathers the keys of those that need it.
"""

import asyncio
from collections.abc import Iterable

from sampan.kubernetes.client.informer import Informer
from sampan.node.cluster_view import EndpointSlice, Service


class ServiceIndex:
    """`changed` is set while any service waits to be taken."""

    def __init__(self, services: Informer[Service], slices: Informer[EndpointSlice]) -> None:
        self._services = services
        self._slices: dict[str, dict[str, EndpointSlice]] = {}
        self._stale: set[str] = set()
        self.changed = asyncio.Event()
        services.on_change(self._service_changed)
        slices.on_change(self._slice_changed)

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        item = new or old
        if item is not None:
            self.mark({f"{item.metadata.namespace}/{item.metadata.name}"})

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        if old is not None:
            held = self._slices.get(old.service_key, {})
            held.pop(old.metadata.name, None)
            if not held:
                self._slices.pop(old.service_key, None)
            self.mark({old.service_key})
        if new is not None:
            self._slices.setdefault(new.service_key, {})[new.metadata.name] = new
            self.mark({new.service_key})

    def mark(self, keys: Iterable[str]) -> None:
        """These services are to be worked out (again)."""
        self._stale.update(keys)
        self.changed.set()

    def take(self) -> set[str]:
        """The keys of the services that changed since the last call."""
        self.changed.clear()
        stale, self._stale = self._stale, set()
        return stale

    def service(self, key: str) -> Service | None:
        namespace, _, name = key.partition("/")
        return self._services.get(namespace, name)

    def slices(self, key: str) -> tuple[EndpointSlice, ...]:
        return tuple(self._slices.get(key, {}).values())
