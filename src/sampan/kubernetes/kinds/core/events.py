"""Event: something that happened to an object, told to people."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from sampan.kubernetes.kinds.columns import part, text
from sampan.kubernetes.kinds.core.event_forms import to_core_form, to_group_form
from sampan.kubernetes.kinds.field_rules import check_text
from sampan.kubernetes.kinds.kind import Cause, Column, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import EVENTS, GROUP_EVENTS
from sampan.kubernetes.kinds.versions import as_version_of
from sampan.kubernetes.machinery import durations, names
from sampan.kubernetes.machinery.causes import invalid, required

_INVOLVED = "involvedObject.namespace"
_OTHER_NAMESPACE = "does not match event.namespace"
_TYPES = ("Normal", "Warning")
_LONGEST_FIELD = 128
_LONGEST_MESSAGE = 1024
_SHORTEST_SERIES = 2
_FIXED = (
    "regarding",
    "reason",
    "note",
    "type",
    "action",
    "related",
    "reportingController",
    "reportingInstance",
    "eventTime",
)


def _core_rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    yield from _check_event(new, "reportingComponent", "message")


def _check_event(event: Object, controller: str, message: str) -> Iterator[Cause]:
    """legacyValidateEvent: an Event with a time of its own must tell more."""
    namespace = event["metadata"].get("namespace", "")
    involved = part(event, "involvedObject", "namespace") or ""
    if not event.get("eventTime"):
        if namespace != (involved or "default"):
            yield invalid(_INVOLVED, involved, _OTHER_NAMESPACE)
        return
    if not involved and namespace not in ("default", "kube-system"):
        yield invalid(_INVOLVED, involved, _OTHER_NAMESPACE)
    reporter = event.get("reportingComponent", "")
    if not reporter:
        yield required(controller)
    else:
        yield from check_text(names.qualified_name, reporter, controller)
    for key in ("reportingInstance", "action", "reason"):
        value = event.get(key, "")
        if not value:
            yield required(key)
        if len(value) > _LONGEST_FIELD:
            yield invalid(key, "", f"can have at most {_LONGEST_FIELD} characters")
    if len(event.get("message", "")) > _LONGEST_MESSAGE:
        yield invalid(message, "", f"can have at most {_LONGEST_MESSAGE} characters")


def _group_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """The stricter rules of `events.k8s.io`, where nothing but the series may change."""
    event = to_core_form(new)
    yield from _check_event(event, "reportingController", "note")
    if old is not None:
        for key in _FIXED:
            yield from check_immutable(new.get(key), old.get(key), key)
        return
    if not event.get("eventTime"):
        yield required("eventTime")
    if event.get("type") not in _TYPES:
        yield invalid("type", "", f"has invalid value: {event.get('type', '')}")
    for key in ("firstTimestamp", "lastTimestamp", "count"):
        if event.get(key):
            yield invalid(key, "", "needs to be unset")
    if any((event.get("source") or {}).values()):
        yield invalid("source", "", "needs to be unset")
    series = event.get("series")
    if series is not None and series.get("count", 0) < _SHORTEST_SERIES:
        yield invalid("series.count", "", f"should be at least {_SHORTEST_SERIES}")


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
    rules=_core_rules,
    name_form="path-segment",
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


def _in_group_form(column: Column) -> Column:
    """The same column of the other form's table."""
    return msgspec.structs.replace(
        column, cell=lambda event, now: column.cell(to_core_form(event), now)
    )


GROUP_EVENT = as_version_of(
    EVENTS,
    make(
        GROUP_EVENTS,
        rules=_group_rules,
        short_names=("ev",),
        selectable=(
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ),
        columns=tuple(_in_group_form(column) for column in EVENT.columns),
    ),
    from_home=to_group_form,
    to_home=to_core_form,
)
