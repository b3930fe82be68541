"""Event: something that happened to an object, told to people."""

from collections.abc import Iterator
from datetime import datetime

from sampan.kubernetes.kinds.columns import part, text
from sampan.kubernetes.kinds.kind import Cause, Column, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import EVENTS
from sampan.kubernetes.machinery import durations
from sampan.kubernetes.machinery.causes import invalid


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    namespace = new["metadata"].get("namespace", "")
    involved = part(new, "involvedObject", "namespace") or ""
    if namespace != (involved or "default"):
        yield invalid("involvedObject.namespace", involved, "does not match event.namespace")


def _first_seen(event: Object, now: datetime) -> str:
    return durations.since(event.get("firstTimestamp") or event.get("eventTime"), now)


def _last_seen(event: Object, now: datetime) -> str:
    last = part(event, "series", "lastObservedTime") or event.get("lastTimestamp")
    return durations.since(last, now) if last else _first_seen(event, now)


def _object(event: Object) -> str:
    kind = (part(event, "involvedObject", "kind") or "").lower()
    name = part(event, "involvedObject", "name")
    return f"{kind}/{name}" if name else kind


def _source(event: Object) -> str:
    component = part(event, "source", "component") or event.get("reportingComponent", "")
    host = part(event, "source", "host") or event.get("reportingInstance", "")
    return ", ".join(it for it in (component, host) if it)


def _count(event: Object) -> str:
    return str(part(event, "series", "count") or event.get("count") or 1)


EVENT = make(
    EVENTS,
    rules=_rules,
    short_names=("ev",),
    selectable=(
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "type",
    ),
    renamed={"source": "source.component"},
    columns=(
        Column(name="Last Seen", type="string", cell=_last_seen, description="Time of last event."),
        text("Type", lambda event: event.get("type", ""), about="Normal or Warning."),
        text("Reason", lambda event: event.get("reason", ""), about="Why, in one word."),
        text("Object", _object, about="The object that this event is about."),
        text(
            "Subobject",
            lambda event: part(event, "involvedObject", "fieldPath") or "",
            1,
            "The part of the object.",
        ),
        text("Source", _source, 1, "The component that reports this event."),
        text("Message", lambda event: (event.get("message") or "").strip(), about="What happened."),
        Column(
            name="First Seen",
            type="string",
            cell=_first_seen,
            priority=1,
            description="Time of first event.",
        ),
        text("Count", _count, 1, "How often it happened."),
        Column(
            name="Name",
            type="string",
            format="name",
            priority=1,
            cell=lambda event, _now: event["metadata"].get("name", ""),
            description="Name must be unique within a namespace.",
        ),
    ),
)
