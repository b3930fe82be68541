"""A claim grows only when it is bound and its class allows that (PersistentVolumeClaimResize).

That it does not shrink is a rule of the kind's own.
"""

from sampan.control.api.admission.write import Write
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.kubernetes.kinds.core.volume_modes import storage_class
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import PERSISTENT_VOLUME_CLAIMS, STORAGE_CLASSES
from sampan.kubernetes.machinery import quantities

_UNBOUND = "only bound persistent volume claims can be expanded"
_FIXED = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the "
    "pvc must support resize"
)


class ClaimResize:
    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache

    def __call__(self, write: Write) -> None:
        """Raises Refused (403)."""
        new, old = write.new, write.old
        if write.kind.resource != PERSISTENT_VOLUME_CLAIMS or write.subresource:
            return
        if new is None or old is None or not _grows(new, old):
            return
        if (old.get("status") or {}).get("phase") != "Bound":
            raise write.refusal(_UNBOUND)
        if not self._may_grow(storage_class(new), storage_class(old)):
            raise write.refusal(_FIXED)

    def _may_grow(self, name: str, before: str) -> bool:
        if not name or name != before:
            return False
        stored = self._cache.of(STORAGE_CLASSES).get(f"/{name}")
        return stored is not None and bool(stored.decoded().get("allowVolumeExpansion"))


def _grows(new: Object, old: Object) -> bool:
    return quantities.parse(_request(new)) > quantities.parse(_request(old))


def _request(claim: Object) -> str:
    resources = (claim.get("spec") or {}).get("resources") or {}
    return str((resources.get("requests") or {}).get("storage", "0"))
