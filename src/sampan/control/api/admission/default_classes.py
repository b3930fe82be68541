"""The class of claims and ingresses that name none: the one that is marked as the default."""

import msgspec

from sampan.control.api.admission.write import Write
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.kubernetes.kinds.core.volume_modes import CLASS_ANNOTATION
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import (
    INGRESS_CLASSES,
    INGRESSES,
    PERSISTENT_VOLUME_CLAIMS,
    STORAGE_CLASSES,
    Resource,
)


class _Defaulted(msgspec.Struct, frozen=True):
    """Which objects name a class of which kind, where, and how the default one is marked."""

    resource: Resource
    classes: Resource
    field: str
    annotation: str
    marker: str


_ALL = (
    _Defaulted(
        PERSISTENT_VOLUME_CLAIMS,
        STORAGE_CLASSES,
        "storageClassName",
        CLASS_ANNOTATION,
        "storageclass.kubernetes.io/is-default-class",
    ),
    _Defaulted(
        INGRESSES,
        INGRESS_CLASSES,
        "ingressClassName",
        "kubernetes.io/ingress.class",
        "ingressclass.kubernetes.io/is-default-class",
    ),
)


class DefaultClasses:
    """An empty name means to have no class, and stays. Of several defaults the newest counts."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache

    def __call__(self, write: Write) -> None:
        if not write.is_create or write.subresource or write.new is None:
            return
        for rule in _ALL:
            if write.kind.resource == rule.resource:
                self._fill(write.new, rule)

    def _fill(self, tree: Object, rule: _Defaulted) -> None:
        spec = tree.setdefault("spec", {})
        annotations = tree["metadata"].get("annotations") or {}
        if rule.field in spec or rule.annotation in annotations:
            return
        marked = [
            (metadata["creationTimestamp"], metadata["name"])
            for stored in self._cache.of(rule.classes).select(Selection())
            if (metadata := stored.decoded()["metadata"])
            if (metadata.get("annotations") or {}).get(rule.marker) == "true"
        ]
        if marked:
            newest = max(created for created, _ in marked)
            spec[rule.field] = min(name for created, name in marked if created == newest)
