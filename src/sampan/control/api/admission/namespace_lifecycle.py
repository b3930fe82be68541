"""Nothing is created in a namespace that isn't there or is on its way out.

That holds for what is created beside an object as well: a binding, an eviction, a token. The words
are those of k8s.io/apiserver `admission/plugin/namespace/lifecycle`.
"""

from sampan.control.api.admission.write import Write
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import NAMESPACES
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.standing_namespaces import IMMORTAL


class NamespaceLifecycle:
    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache

    def __call__(self, write: Write) -> None:
        """Raises Refused: 404 or 403 for a create, 403 for deleting a system namespace."""
        if write.kind.resource == NAMESPACES:
            if write.operation == "DELETE" and write.object_name in IMMORTAL:
                explanation = "this namespace may not be deleted"
                raise Refused(status.forbidden(NAMESPACES, write.object_name, explanation))
        elif write.old is None and write.kind.resource.namespaced:
            self._check_open(write)

    def _check_open(self, write: Write) -> None:
        namespace = self._cache.of(NAMESPACES).get(f"/{write.namespace}")
        if namespace is None:
            raise Refused(status.not_found(NAMESPACES, write.namespace))
        if namespace.fields.get("status.phase") == "Terminating" and not write.connects:
            raise Refused(_terminating(write))


def _terminating(write: Write) -> Object:
    explanation = (
        f"unable to create new content in namespace {write.namespace} "
        "because it is being terminated"
    )
    # A name that is still to be made is told by its beginning.
    generated = (write.object.get("metadata") or {}).get("generateName")
    name = write.object_name or str(generated or "Unknown")
    refusal = status.forbidden(write.kind.resource, name, explanation)
    refusal["details"]["causes"] = [
        {
            "reason": "NamespaceTerminating",
            "message": f"namespace {write.namespace} is being terminated",
            "field": "metadata.namespace",
        }
    ]
    return refusal
