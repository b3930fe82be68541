"""One line of the audit log. Pure.

What a request or an answer says is shown only where the policy asks for it, and then as JSON;
what is in another encoding is left out.
"""

from datetime import datetime
from typing import Any

import msgspec

from sampan.control.api.attributes import Attributes
from sampan.control.api.audit.policy import Stage, Verdict
from sampan.control.api.call import Call
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import Identity, Request, Response
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery.timestamps import to_microseconds

LARGEST_BODY = 1 << 20
_JSON = ("", "application/json")

_encode = msgspec.json.Encoder().encode


class Record(msgspec.Struct):
    """What is known of one request; the user is the one who asked, before impersonation."""

    identifier: str
    received: datetime
    user: Identity
    verdict: Verdict


class _User(msgspec.Struct, omit_defaults=True):
    """authentication/v1 UserInfo."""

    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}


class _Reference(msgspec.Struct, omit_defaults=True, rename="camel"):
    resource: str = ""
    namespace: str = ""
    name: str = ""
    api_group: str = ""
    api_version: str = ""
    subresource: str = ""


class _Event(msgspec.Struct, omit_defaults=True, kw_only=True, rename="camel"):
    """audit.k8s.io/v1 Event; what is empty is left out."""

    kind: str
    api_version: str
    level: str
    identifier: str = msgspec.field(name="auditID")
    stage: Stage
    request_uri: str = msgspec.field(name="requestURI")
    verb: str
    user: _User
    impersonated_user: _User | None = None
    addresses: tuple[str, ...] = msgspec.field(name="sourceIPs", default=())
    user_agent: str | None = None
    object_ref: _Reference | None = None
    response_status: Object | None = None
    request_object: Any = None
    response_object: Any = None
    request_received_timestamp: str
    stage_timestamp: str
    annotations: dict[str, str] = {}


def line(
    record: Record,
    call: Call,
    stage: Stage,
    moment: datetime,
    outcome: Response | Refused | None,
) -> bytes:
    """The event as one line of JSON; without an outcome where there is none yet."""
    request, verdict = call.request, record.verdict
    user, address = record.user, request.peer_address
    is_acting = call.identity is not user and call.identity != user
    has_bodies = stage != "RequestReceived"
    event = _Event(
        kind="Event",
        api_version="audit.k8s.io/v1",
        level=verdict.level,
        identifier=record.identifier,
        stage=stage,
        request_uri=_uri(request),
        verb=call.attributes.verb,
        user=_user(user),
        impersonated_user=_user(call.identity) if is_acting else None,
        addresses=(address,) if address else (),
        user_agent=request.headers.get("user-agent"),
        object_ref=_reference(call.attributes) if call.attributes.is_resource else None,
        response_status=_outcome(outcome),
        request_object=_request_body(verdict, request) if has_bodies else None,
        response_object=_response_body(verdict, outcome) if has_bodies else None,
        request_received_timestamp=to_microseconds(record.received),
        stage_timestamp=to_microseconds(moment),
        annotations=call.annotations,
    )
    return _encode(event) + b"\n"


def _uri(request: Request) -> str:
    if not request.query:
        return request.path
    query = "&".join(f"{key}={value}" for key, value in request.query)
    return f"{request.path}?{query}"


def _user(identity: Identity) -> _User:
    return _User(identity.name, identity.uid, identity.groups, identity.extra)


def _reference(it: Attributes) -> _Reference:
    return _Reference(it.resource, it.namespace, it.name, it.group, it.version, it.subresource)


def _outcome(outcome: Response | Refused | None) -> Object | None:
    if outcome is None:
        return None
    if isinstance(outcome, Refused):
        return {"metadata": {}} | outcome.status
    return {"metadata": {}, "code": outcome.status}


def _request_body(verdict: Verdict, request: Request) -> Any:
    if not verdict.shows_request:
        return None
    given = request.headers.get("content-type", "")
    return _shown(request.body, verdict) if _media_type(given) in _JSON else None


def _response_body(verdict: Verdict, outcome: Response | Refused | None) -> Any:
    if not verdict.shows_response or not isinstance(outcome, Response):
        return None
    given = outcome.headers.get("Content-Type", "")
    if not isinstance(outcome.body, bytes) or _media_type(given) not in _JSON:
        return None
    return _shown(outcome.body, verdict)


def _media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def _shown(body: bytes, verdict: Verdict) -> Any:
    """A JSON body as part of the event; None when it is none, or too large for a log."""
    if not body or len(body) > LARGEST_BODY:
        return None
    try:
        tree = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    if verdict.omits_managed_fields and isinstance(tree, dict):
        items = tree.get("items")
        for member in [tree, *(items if isinstance(items, list) else ())]:
            if isinstance(member, dict) and isinstance(member.get("metadata"), dict):
                member["metadata"].pop("managedFields", None)
    return tree
