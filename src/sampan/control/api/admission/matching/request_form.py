"""A write in the form of `AdmissionRequest` (admission.k8s.io/v1).

Webhooks get it whole; expressions get it without the objects, as the variable `request`.
"""

from collections.abc import Callable
from typing import Any

from sampan.control.api.admission.write import Write
from sampan.control.api.authentication.identities import user_information
from sampan.foundation.wire.message import Request
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.resource import NAMESPACES, Resource

_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}
_COPIED: dict[str, Callable[[str], Any]] = {
    "fieldManager": str,
    "fieldValidation": str,
    "propagationPolicy": str,
    "gracePeriodSeconds": int,
    "orphanDependents": lambda text: text in ("true", "1"),
    "force": lambda text: text in ("true", "1"),
}


def request_form(write: Write, target: Kind, uid: str) -> Object:
    """All but the objects; `target` is the kind in whose version they go out."""
    given = write.kind
    form: Object = {
        "uid": uid,
        "kind": _kind_of(write, target),
        "resource": _resource(target.resource),
        "requestKind": _kind_of(write, given),
        "requestResource": _resource(given.resource),
        "operation": write.operation,
        "userInfo": user_information(write.identity),
        "dryRun": write.dry_run,
        "options": _options(write),
    }
    if write.subresource:
        form["subResource"] = form["requestSubResource"] = write.subresource
    if write.object_name:
        form["name"] = write.object_name
    namespace = write.object_name if given.resource == NAMESPACES else write.namespace
    if namespace:
        form["namespace"] = namespace
    return form


def _kind_of(write: Write, kind: Kind) -> Object:
    if write.form is not None:
        group, _, version = write.form.group_version.rpartition("/")
        return {"group": group, "version": version, "kind": write.form.kind}
    resource = kind.resource
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _resource(resource: Resource) -> Object:
    return {
        "group": resource.group,
        "version": resource.version,
        "resource": resource.plural,
    }


def _options(write: Write) -> Object | None:
    """The options of the request, read off its query. A connection's are the object itself."""
    kind = _OPTIONS.get(write.operation)
    if kind is None:
        return None
    request = write.request
    if request is not None and request.method == "PATCH":
        kind = "PatchOptions"
    options: Object = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if write.dry_run:
        options["dryRun"] = ["All"]
    return options if request is None else options | _given(request)


def _given(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in request.query:
        read = _COPIED.get(name)
        if read is not None and value:
            try:
                found[name] = read(value)
            except ValueError:
                # Whoever reads the options themselves has refused it, or takes no notice.
                continue
    return found
