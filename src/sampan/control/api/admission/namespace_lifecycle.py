"""Nothing is created in a namespace that isn't there or is on its way out."""

from sampan.control.api.admission.write import Write
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.resource import NAMESPACES
from sampan.kubernetes.machinery import status

IMMORTAL = frozenset(("default", "kube-system", "kube-public", "kube-node-lease"))


class NamespaceLifecycle:
    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache

    def __call__(self, write: Write) -> None:
        """Raises Refused: 404 or 403 for a create, 403 for deleting a system namespace."""
        if write.kind.resource == NAMESPACES:
            if write.new is None and write.object["metadata"]["name"] in IMMORTAL:
                name = write.object["metadata"]["name"]
                raise Refused(
                    status.forbidden(NAMESPACES, name, "this namespace may not be deleted")
                )
            return
        if write.is_create and write.kind.resource.namespaced:
            self._check_open(write)

    def _check_open(self, write: Write) -> None:
        namespace = self._cache.of(NAMESPACES).get(f"/{write.namespace}")
        if namespace is None:
            raise Refused(status.not_found(NAMESPACES, write.namespace))
        if namespace.fields.get("status.phase") == "Terminating":
            name = write.object["metadata"].get("name", "")
            explanation = (
                f"unable to create new content in namespace {write.namespace} "
                "because it is being terminated"
            )
            refusal = status.forbidden(write.kind.resource, name, explanation)
            refusal["details"]["causes"] = [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {write.namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ]
            raise Refused(refusal)
