"""`/scale`: the number of replicas, in one form for every kind that has it (autoscaling/v1)."""

from collections.abc import Callable

import msgspec

from sampan.control.api import rendering
from sampan.control.api.admission.write import Write
from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call
from sampan.control.api.decoding import Form, decoded, patched
from sampan.control.api.negotiation import Wanted
from sampan.control.api.refusal import Refused
from sampan.control.api.request_options import dry_run_of
from sampan.control.api.updating import object_key, patch_of
from sampan.control.api.writer import Writer
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery import selectors, status
from sampan.kubernetes.machinery.causes import invalid
from sampan.kubernetes.schema.definitions import definition_name

_GROUP_VERSION, _KIND = "autoscaling/v1", "Scale"
_FORM = Form(definition_name("autoscaling", "v1", _KIND), _KIND, _GROUP_VERSION)
_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


class Scale:
    """The handlers of get, update and patch."""

    def __init__(self, writer: Writer, cache: WatchCache) -> None:
        self._writer = writer
        self._cache = cache

    async def get(self, call: Call) -> Response:
        stored = self._cache.of(call.routed.resource).get(object_key(call))
        if stored is None:
            raise Refused(status.not_found(call.routed.resource, call.attributes.name))
        return rendering.document(scale_of(stored.decoded()), Wanted())

    async def update(self, call: Call) -> Response:
        body = await decoded(call, _FORM)
        return await self._commit(call, lambda _current: body.tree)

    async def patch(self, call: Call) -> Response:
        apply = await patch_of(call, _FORM.definition)
        raw = call.request.body

        def changed(current: Object) -> Object:
            return patched(call, _FORM, apply(current), raw).tree

        return await self._commit(call, changed)

    async def _commit(self, call: Call, changed: Callable[[Object], Object]) -> Response:
        def change(stored: StoredObject) -> Write:
            old, new = stored.decoded(), stored.decoded()
            wanted = changed(scale_of(stored.decoded()))
            replicas = _replicas(wanted, call.attributes.name)
            new["spec"]["replicas"] = replicas
            new["metadata"]["resourceVersion"] = wanted["metadata"].get("resourceVersion", "")
            new["metadata"]["uid"] = wanted["metadata"].get("uid") or old["metadata"]["uid"]
            return Write(call.routed, call.identity, call.attributes.namespace, new=new, old=old)

        written = await self._writer.update(
            call.routed, object_key(call), change, dry_run=dry_run_of(call.request)
        )
        return rendering.document(scale_of(msgspec.json.decode(written.data)), Wanted())


def scale_of(tree: Object) -> Object:
    """The Scale that stands for an object with `spec.replicas` and `spec.selector`."""
    metadata = {key: value for key, value in tree["metadata"].items() if key in _COPIED}
    spec, now = tree.get("spec") or {}, tree.get("status") or {}
    selector = selectors.from_object(spec.get("selector"))
    return {
        "kind": _KIND,
        "apiVersion": _GROUP_VERSION,
        "metadata": metadata,
        "spec": {"replicas": spec.get("replicas", 0)},
        "status": {
            "replicas": now.get("replicas", 0),
            "selector": selectors.show(selector) if selector is not None else "",
        },
    }


def _replicas(scale: Object, name: str) -> int:
    replicas = int((scale.get("spec") or {}).get("replicas", 0))
    if replicas < 0:
        cause = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise Refused(status.invalid("autoscaling", _KIND, name, [cause]))
    return replicas
