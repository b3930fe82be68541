"""`pods/NAME/binding`: the scheduler's decision, which can be taken once.

The same goes to `bindings`, where the body names the pod.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec

from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.call import Call, object_key
from sampan.control.api.forms.rendering import status_answer
from sampan.control.api.refusal import Refused
from sampan.control.api.request_options import dry_run_of
from sampan.control.api.subresources.form_review import reviewed
from sampan.control.api.writing.decoding import Form, decoded
from sampan.control.api.writing.writer import Writer
from sampan.foundation.wire.message import Response
from sampan.kubernetes.kinds.core.pods import POD
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import PODS
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.causes import required, unsupported
from sampan.kubernetes.machinery.conditions import with_condition
from sampan.kubernetes.machinery.timestamps import to_seconds
from sampan.kubernetes.schema.definitions import definition_name

_FORM = Form(definition_name("", "v1", "Binding"), "Binding", "v1")
_CREATED = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


class Binding:
    def __init__(self, writer: Writer, clock: Callable[[], datetime]) -> None:
        self._writer = writer
        self._clock = clock

    async def create(self, call: Call) -> Response:
        """Raises Refused: 409 when the pod is bound already or being deleted."""
        body = await decoded(call, _FORM)
        return await self._bind(call, body.tree)

    async def create_apart(self, call: Call) -> Response:
        """`bindings`: from here on it is a binding of the pod that the body names.

        Raises Refused: 422 for a body without a name, and as `create` does.
        """
        body = await decoded(call, _FORM)
        name = body.tree["metadata"].get("name", "")
        if not name:
            raise Refused(status.invalid("", "Binding", "", [required("metadata.name")]))
        call.kind = POD
        call.attributes = msgspec.structs.replace(
            call.attributes, resource=PODS.plural, name=name, subresource="binding"
        )
        return await self._bind(call, body.tree)

    async def _bind(self, call: Call, binding: Object) -> Response:
        keeps_nothing = dry_run_of(call.request)
        tree = await reviewed(self._writer, call, binding, _FORM, dry_run=keeps_nothing)
        node = _node(tree, call.attributes.name)
        given = tree["metadata"]

        def change(stored: StoredObject) -> Object:
            pod = stored.decoded()
            _check_free(pod, given)
            pod["spec"]["nodeName"] = node
            pod["status"] = _scheduled(pod.get("status") or {}, self._clock())
            return pod

        await self._writer.transform(call.routed, object_key(call), change, dry_run=keeps_nothing)
        return status_answer(_CREATED, call.request)


def _node(binding: Object, name: str) -> str:
    target = binding.get("target") or {}
    if target.get("kind", "Node") not in ("", "Node"):
        cause = unsupported("target.kind", target["kind"], ("Node",))
        raise Refused(status.invalid("", "Binding", name, [cause]))
    if not target.get("name"):
        raise Refused(status.invalid("", "Binding", name, [required("target.name")]))
    return str(target["name"])


def _check_free(pod: Object, given: Object) -> None:
    """`given` is the binding's metadata, which may name the uid of the pod that it means."""
    name, bound = pod["metadata"]["name"], (pod.get("spec") or {}).get("nodeName")
    if "deletionTimestamp" in pod["metadata"]:
        explanation = f"pod {name} is being deleted, cannot be assigned to a host"
        raise Refused(status.conflict(PODS, name, explanation))
    if given.get("uid") and given["uid"] != pod["metadata"]["uid"]:
        now = pod["metadata"]["uid"]
        raise Refused(status.precondition_failed(PODS, name, "UID", given["uid"], now))
    if bound:
        explanation = f'pod {name} is already assigned to node "{bound}"'
        raise Refused(status.conflict(PODS, name, explanation))
    if (pod.get("spec") or {}).get("schedulingGates"):
        explanation = f"pod {name} has non-empty .spec.schedulingGates"
        raise Refused(status.conflict(PODS, name, explanation))


def _scheduled(pod_status: Object, now: datetime) -> Object:
    conditions = with_condition(
        pod_status.get("conditions"), "PodScheduled", "True", to_seconds(now)
    )
    return {**pod_status, "conditions": conditions}
