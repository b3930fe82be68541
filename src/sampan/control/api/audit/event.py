"""One line of the audit log. Pure.

What a request or an answer says is shown only where the policy asks for it, and then as JSON;
what is in another encoding is left out.
"""

from datetime import datetime
from typing import Any

import msgspec

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


def line(
    record: Record,
    call: Call,
    stage: Stage,
    moment: datetime,
    outcome: Response | Refused | None,
) -> bytes:
    """The event as one line of JSON; without an outcome where there is none yet."""
    request, verdict = call.request, record.verdict
    event: Object = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": verdict.level,
        "auditID": record.identifier,
        "stage": stage,
        "requestURI": _uri(request),
        "verb": call.attributes.verb,
        "user": _user(record.user),
    }
    if call.identity != record.user:
        event["impersonatedUser"] = _user(call.identity)
    if request.peer_address:
        event["sourceIPs"] = [request.peer_address]
    if "user-agent" in request.headers:
        event["userAgent"] = request.headers["user-agent"]
    if call.attributes.is_resource:
        event["objectRef"] = _reference(call)
    if isinstance(outcome, Refused):
        event["responseStatus"] = {"metadata": {}} | outcome.status
    elif outcome is not None:
        event["responseStatus"] = {"metadata": {}, "code": outcome.status}
    if stage != "RequestReceived":
        event |= _bodies(verdict, request, outcome)
    event["requestReceivedTimestamp"] = to_microseconds(record.received)
    event["stageTimestamp"] = to_microseconds(moment)
    if call.annotations:
        event["annotations"] = call.annotations
    return _encode(event) + b"\n"


def _uri(request: Request) -> str:
    query = "&".join(f"{key}={value}" for key, value in request.query)
    return f"{request.path}?{query}" if query else request.path


def _user(identity: Identity) -> Object:
    found: Object = {"username": identity.name}
    if identity.uid:
        found["uid"] = identity.uid
    if identity.groups:
        found["groups"] = identity.groups
    if identity.extra:
        found["extra"] = identity.extra
    return found


def _reference(call: Call) -> Object:
    attributes = call.attributes
    parts = {
        "resource": attributes.resource,
        "namespace": attributes.namespace,
        "name": attributes.name,
        "apiGroup": attributes.group,
        "apiVersion": attributes.version,
        "subresource": attributes.subresource,
    }
    return {key: value for key, value in parts.items() if value}


def _bodies(verdict: Verdict, request: Request, outcome: Response | Refused | None) -> Object:
    shown: Object = {}
    if verdict.shows_request and _media_type(request.headers.get("content-type", "")) in _JSON:
        shown["requestObject"] = _shown(request.body, verdict)
    if verdict.shows_response and isinstance(outcome, Response) and isinstance(outcome.body, bytes):
        given = outcome.headers.get("Content-Type", "")
        if _media_type(given) in _JSON:
            shown["responseObject"] = _shown(outcome.body, verdict)
    return {key: value for key, value in shown.items() if value is not None}


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
