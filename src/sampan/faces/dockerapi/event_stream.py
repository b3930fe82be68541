"""What happens in the engine, as `GET /events` tells it."""

import time
from collections.abc import AsyncIterator
from typing import Any

from sampan.engine.events import Event
from sampan.faces.dockerapi import times
from sampan.faces.dockerapi.call import Call, encoded
from sampan.faces.dockerapi.filters import Filters
from sampan.faces.dockerapi.router import Route
from sampan.faces.dockerapi.versions import Version
from sampan.foundation.wire.message import Response

_KNOWN = frozenset(
    [
        "config",
        "container",
        "daemon",
        "event",
        "id",
        "image",
        "label",
        "network",
        "node",
        "plugin",
        "scope",
        "secret",
        "service",
        "type",
        "volume",
    ]
)
# A filter of one of these names wants events of its kind, by the name or identifier of what it is.
_KINDS = ("container", "image", "network", "volume", "daemon")
_FORMS = {
    "application/json-seq": (b"\x1e", "application/json-seq"),
    "application/x-ndjson": (b"", "application/x-ndjson"),
}


async def events(call: Call) -> Response:
    filters = call.filters()
    filters.check(_KNOWN)
    now = time.time_ns()
    since, until = times.read(call.text("since"), now), times.read(call.text("until"), now)
    lead, kind = b"", "application/json"
    if call.version >= (1, 52):
        lead, kind = _FORMS.get(call.request.headers.get("accept", ""), (lead, kind))
    body = _told(call, filters, since, until, lead)
    return Response(headers={"Content-Type": kind}, body=body)


async def _told(
    call: Call, filters: Filters, since: int, until: int, lead: bytes
) -> AsyncIterator[bytes]:
    async for event in call.engine.events.subscribe(since, until):
        if wanted(event, filters):
            yield lead + encoded(document(event, call.version))


def document(event: Event, version: Version) -> dict[str, Any]:
    """Until 1.52 with the fields that events of containers and images had before 1.22."""
    tree: dict[str, Any] = {}
    if version < (1, 52) and event.kind in ("container", "image"):
        tree = {"status": event.action, "id": event.identifier}
        if "image" in event.attributes:
            tree["from"] = event.attributes["image"]
    return tree | {
        "Type": event.kind,
        "Action": event.action,
        "Actor": {"ID": event.identifier, "Attributes": event.attributes},
        "scope": "local",
        "time": event.time // times.SECOND,
        "timeNano": event.time,
    }


def wanted(event: Event, filters: Filters) -> bool:
    return (
        _is_action(event.action, filters)
        and filters.exact("type", event.kind)
        and filters.exact("scope", "local")
        and filters.exact("id", event.identifier)
        and filters.labels(event.attributes)
        and all(_is_of(event, kind, filters) for kind in _KINDS)
    )


def _is_action(action: str, filters: Filters) -> bool:
    """`exec_start: sh` is an `exec_start`, `health_status: healthy` a `health_status`."""
    return filters.exact("event", action, action.partition(":")[0])


def _is_of(event: Event, kind: str, filters: Filters) -> bool:
    if kind not in filters:
        return True
    name = event.attributes.get("name", "")
    if kind == "image" and event.kind == "container":
        names = {event.attributes.get("image", "")}
    elif kind == event.kind:
        names = {name, event.identifier}
    else:
        return kind == "container" and filters.exact(
            kind, *filter(None, (event.attributes.get("container"),))
        )
    if kind == "image":
        names |= {one.rpartition(":")[0] for one in names if ":" in one.rpartition("/")[2]}
    names.discard("")
    return filters.exact(kind, *names) or (
        kind != "image" and filters.starts(kind, event.identifier)
    )


ROUTES = (Route("GET", "/events", events),)
