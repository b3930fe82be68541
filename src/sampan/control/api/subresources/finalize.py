"""`namespaces/NAME/finalize`: the namespace controller lets go of a namespace that is empty."""

from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.call import Call, object_key
from sampan.control.api.forms import rendering
from sampan.control.api.refusal import Refused
from sampan.control.api.request_options import dry_run_of
from sampan.control.api.writing.creating import form_of
from sampan.control.api.writing.decoding import decoded
from sampan.control.api.writing.writer import Writer
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery import status


class Finalize:
    def __init__(self, writer: Writer, clock: rendering.Clock) -> None:
        self._writer = writer
        self._clock = clock

    async def update(self, call: Call) -> Response:
        """Sets `spec.finalizers` alone. Raises Refused: 404, 409 for another version or uid."""
        body = await decoded(call, form_of(call.routed))
        given = body.tree["metadata"]
        finalizers = (body.tree.get("spec") or {}).get("finalizers") or []

        def change(stored: StoredObject) -> Object:
            tree = stored.decoded()
            if not _names(given, tree["metadata"]):
                raise Refused(status.conflict(call.routed.resource, call.attributes.name))
            tree["spec"] = {**(tree.get("spec") or {}), "finalizers": finalizers}
            return tree

        written = await self._writer.transform(
            call.routed, object_key(call), change, dry_run=dry_run_of(call.request)
        )
        return rendering.one(call.routed, written.data, call.request, self._clock)


def _names(given: Object, current: Object) -> bool:
    """Whether the version and uid that the body names, if it does, are the current ones."""
    return all(given.get(it) in (None, "", current[it]) for it in ("uid", "resourceVersion"))
