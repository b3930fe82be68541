"""Claims and volumes get the finalizer that keeps them while they are in use.

Their protection controllers take it away (upstream's StorageObjectInUseProtection).
"""

from sampan.control.api.admission.write import Write
from sampan.kubernetes.kinds.resource import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES

_FINALIZERS = {
    PERSISTENT_VOLUME_CLAIMS: "kubernetes.io/pvc-protection",
    PERSISTENT_VOLUMES: "kubernetes.io/pv-protection",
}


def protect_storage(write: Write) -> None:
    """Adds the finalizer at creation."""
    finalizer = _FINALIZERS.get(write.kind.resource)
    if finalizer is None or not write.is_create or write.new is None:
        return
    finalizers = write.new["metadata"].setdefault("finalizers", [])
    if finalizer not in finalizers:
        finalizers.append(finalizer)
