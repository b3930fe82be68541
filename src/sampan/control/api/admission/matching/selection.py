"""Selectors of webhooks and policies: by the namespace's labels and by the object's own."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sampan.control.api.admission.write import Write
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import NAMESPACES
from sampan.kubernetes.machinery.selectors import Selector, from_object


class Selectors(msgspec.Struct, frozen=True):
    """Both must match; None matches everything."""

    namespace: Selector | None
    object: Selector | None

    def match(self, write: Write, cache: WatchCache) -> bool:
        if self.object is not None and not any(
            self.object.matches(_labels(tree)) for tree in (write.new, write.old) if tree
        ):
            return False
        if self.namespace is None:
            return True
        labels = namespace_labels(write, cache)
        return labels is None or self.namespace.matches(labels)


def selectors_of(namespace: Mapping[str, Any] | None, own: Mapping[str, Any] | None) -> Selectors:
    """An empty selector selects everything, and is not looked at."""
    return Selectors(
        from_object(namespace) if namespace else None, from_object(own) if own else None
    )


def namespace_labels(write: Write, cache: WatchCache) -> Mapping[str, str] | None:
    """The labels that a namespace selector looks at; None for what has no namespace."""
    if write.kind.resource == NAMESPACES:
        if write.form is None:
            return _labels(write.object)
        stored = cache.of(NAMESPACES).get(f"/{write.object_name}")
    elif write.namespace:
        stored = cache.of(NAMESPACES).get(f"/{write.namespace}")
    else:
        return None
    return stored.labels if stored is not None else {}


def _labels(tree: Object) -> Mapping[str, str]:
    return (tree.get("metadata") or {}).get("labels") or {}
