"""The webhooks of one sort, and which of them look at a kind of write.

Compiled when a configuration changes and remembered for each resource and operation, so that
a write that concerns none of them pays for one look into a table.
"""

import logging

import msgspec

from sampan.control.api.admission.matching.rules import is_exempt, target_of
from sampan.control.api.admission.webhooks.configuration import Webhook, webhooks_of
from sampan.control.api.admission.write import Write
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import CacheEvent
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.kinds.resource import Resource

_log = logging.getLogger("sampan.api.admission")
_REMEMBERED = 1024

Matched = tuple[Webhook, Kind]
"""A webhook, and the kind in whose version it wants the objects."""


class WebhookIndex:
    """Follows the configurations of one resource."""

    def __init__(self, cache: WatchCache, kinds: Kinds, configurations: Resource) -> None:
        self._cache = cache
        self._kinds = kinds
        self._configurations = configurations
        self._webhooks: tuple[Webhook, ...] | None = None
        self._known: dict[tuple[Resource, str, str], tuple[Matched, ...]] = {}
        cache.on_event(self._follow, configurations)
        kinds.on_change(self._known.clear)

    def matching(self, write: Write) -> tuple[Matched, ...]:
        """The webhooks whose rules fit, in the order in which they are asked."""
        if self._webhooks is None:
            self._webhooks = self._read()
        if not self._webhooks or is_exempt(write.kind):
            return ()
        key = (write.kind.resource, write.subresource, write.operation)
        found = self._known.get(key)
        if found is None:
            found = self._match(write)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = found
        return found

    def _match(self, write: Write) -> tuple[Matched, ...]:
        found: list[Matched] = []
        for webhook in self._webhooks or ():
            target = target_of(webhook.rules, write, self._kinds, equivalent=webhook.equivalent)
            if target is not None:
                found.append((webhook, target))
        return tuple(found)

    def _follow(self, _kind: Kind, _event: CacheEvent) -> None:
        self._webhooks = None
        self._known.clear()

    def _read(self) -> tuple[Webhook, ...]:
        """By the configurations' names, then in the order within each."""
        found: list[Webhook] = []
        for stored in self._cache.of(self._configurations).select(Selection()):
            try:
                found += webhooks_of(stored.data)
            except msgspec.ValidationError:
                _log.exception("the webhooks of %s can't be read", stored.name)
        return tuple(found)
