"""Status objects: how the API says no, in Kubernetes' words (k8s.io/apimachinery api/errors)."""

from collections.abc import Sequence
from typing import Any

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.resource import Resource

_MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def failure(code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> Object:
    """A Status of any reason; the functions below are for the usual ones."""
    status: Object = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
    }
    if reason:
        status["reason"] = reason
    if details:
        status["details"] = details
    status["code"] = code
    return status


def success(resource: Resource, name: str, uid: str) -> Object:
    """The answer to a deletion that took effect at once."""
    details = {**_details(resource, name), "uid": uid}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


def qualified(resource: Resource) -> str:
    """`pods`, `deployments.apps`."""
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _details(resource: Resource, name: str) -> dict[str, Any]:
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in details.items() if value}


def bad_request(message: str) -> Object:
    return failure(400, "BadRequest", message)


def unauthorized() -> Object:
    return failure(401, "Unauthorized", "Unauthorized")


def forbidden(resource: Resource, name: str, explanation: str) -> Object:
    """`explanation` says who may not do what: see `forbidden_explanation`."""
    shown = f'{qualified(resource)} "{name}"' if name else qualified(resource)
    message = f"{shown} is forbidden: {explanation}"
    return failure(403, "Forbidden", message, _details(resource, name))


def forbidden_explanation(
    user: str, verb: str, resource: Resource, subresource: str, scope: str
) -> str:
    """Why authorization refused; `scope` is a namespace, or empty for the cluster's scope."""
    plural = f"{resource.plural}/{subresource}" if subresource else resource.plural
    where = f'in the namespace "{scope}"' if scope else "at the cluster scope"
    return (
        f'User "{user}" cannot {verb} resource "{plural}" in API group "{resource.group}" {where}'
    )


def forbidden_path(user: str, verb: str, path: str) -> Object:
    """A path that is no resource's."""
    message = f'forbidden: User "{user}" cannot {verb} path "{path}"'
    return failure(403, "Forbidden", message, {})


def not_found(resource: Resource, name: str) -> Object:
    message = f'{qualified(resource)} "{name}" not found'
    return failure(404, "NotFound", message, _details(resource, name))


def path_not_found() -> Object:
    """A path that nothing answers to."""
    message = "the server could not find the requested resource"
    return failure(404, "NotFound", message, {})


def method_not_allowed() -> Object:
    message = "the server does not allow this method on the requested resource"
    return failure(405, "MethodNotAllowed", message, {})


def not_acceptable(supported: Sequence[str]) -> Object:
    listed = ", ".join(supported)
    message = f"only the following media types are accepted: {listed}"
    return failure(406, "NotAcceptable", message)


def already_exists(resource: Resource, name: str) -> Object:
    message = f'{qualified(resource)} "{name}" already exists'
    return failure(409, "AlreadyExists", message, _details(resource, name))


def no_name_generated(resource: Resource, name: str) -> Object:
    """Every name that was made from a generateName is taken; `name` is the last of them."""
    message = (
        f'{qualified(resource)} "{name}" already exists, the server was not able to generate a '
        "unique name for the object"
    )
    details = {**_details(resource, name), "retryAfterSeconds": 1}
    return failure(409, "AlreadyExists", message, details)


def conflict(resource: Resource, name: str, explanation: str = _MODIFIED) -> Object:
    message = f'Operation cannot be fulfilled on {qualified(resource)} "{name}": {explanation}'
    return failure(409, "Conflict", message, _details(resource, name))


def precondition_failed(resource: Resource, name: str, field: str, given: str, now: str) -> Object:
    """`field` is UID or ResourceVersion."""
    explanation = (
        f"Precondition failed: {field} in precondition: {given}, {field} in object meta: {now}"
    )
    return conflict(resource, name, explanation)


def expired(message: str) -> Object:
    """A resourceVersion or continue token that is too old."""
    return failure(410, "Expired", message)


def too_old(requested: int, oldest: int) -> Object:
    return expired(f"too old resource version: {requested} ({oldest})")


def too_large(limit: int) -> Object:
    message = f"Request entity too large: limit is {limit}"
    return failure(413, "RequestEntityTooLarge", message)


def unsupported_media_type(supported: Sequence[str]) -> Object:
    listed = ", ".join(supported)
    message = (
        f"the body of the request was in an unknown format - accepted media types include: {listed}"
    )
    return failure(415, "UnsupportedMediaType", message)


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> Object:
    """The object breaks rules; of several causes on one field the first stays."""
    first: dict[tuple[str, str], Cause] = {}
    for cause in causes:
        first.setdefault((cause.field, cause.reason), cause)
    shown = [f"{cause.field}: {cause.message}" for cause in first.values()]
    listed = shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
    details: dict[str, Any] = {"name": name, "group": group, "kind": kind}
    details = {key: value for key, value in details.items() if value}
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field}
        for cause in first.values()
    ]
    full_kind = f"{kind}.{group}" if group else kind
    return failure(422, "Invalid", f'{full_kind} "{name}" is invalid: {listed}', details)


def internal() -> Object:
    """Whatever went wrong is in the log, not in the answer."""
    return failure(500, "InternalError", "Internal error occurred: see the server's log")


def timeout(message: str) -> Object:
    return failure(504, "Timeout", f"Timeout: {message}")


def service_unavailable(message: str) -> Object:
    return failure(503, "ServiceUnavailable", message)


def strict_decoding(group_version: str, kind: str, problems: Sequence[str]) -> Object:
    """Unknown or duplicate fields where the client asked to be strict."""
    version = group_version.rpartition("/")[2]
    listed = ", ".join(problems)
    return bad_request(
        f'{kind} in version "{version}" cannot be handled as a {kind}: '
        f"strict decoding error: {listed}"
    )


def cannot_decode(group_version: str, kind: str, problem: str) -> Object:
    """A field of the wrong type."""
    version = group_version.rpartition("/")[2]
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {problem}')


def unknown_field(path: str) -> str:
    """How an unknown field is named in warnings and in strict errors."""
    return f'unknown field "{path}"'


def duplicate_field(path: str) -> str:
    return f'duplicate field "{path}"'
