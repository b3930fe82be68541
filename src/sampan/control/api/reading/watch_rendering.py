"""The frames of a watch, in the form that its client asked for.

A frame is a line of JSON, or a WatchEvent in protobuf behind its length. Frames of whole objects
and of metadata are made once an event and encoding, and shared by all watchers; tables are made
for each watch, because its columns come with the first frame alone.
"""

import msgspec

from sampan.control.api.cache import stored_object
from sampan.control.api.cache.stored_object import CacheEvent, EventType
from sampan.control.api.cache.watcher import Render, shared_frame
from sampan.control.api.forms import rendering
from sampan.control.api.forms.negotiation import Wanted, wanted_stream
from sampan.control.api.protobuf import encoding as protobuf
from sampan.control.api.protobuf import envelope
from sampan.foundation.wire.message import Request
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.machinery import table

_INITIAL_END = {"k8s.io/initial-events-end": "true"}


def wanted_of(kind: Kind, request: Request) -> Wanted:
    """The form in which a request wants a watch of a kind. Raises Refused (406)."""
    accept = request.headers.get("accept", "")
    form = wanted_stream(accept)
    if form.encoding == "protobuf" and form.form == "whole" and not rendering.in_protobuf(kind):
        return wanted_stream(accept, protobuf=False)
    return form


def content_type(form: Wanted) -> str:
    return envelope.WATCH_CONTENT_TYPE if form.encoding == "protobuf" else form.content_type


def render_for(kind: Kind, request: Request, form: Wanted, clock: rendering.Clock) -> Render:
    """How a watch's frames are made. Raises Refused (400)."""
    if form.form == "table":
        return _TableFrames(kind, form, rendering.include_of(request), clock)
    if form.form == "whole" and form.encoding == "json":
        return shared_frame
    return _SharedFrames(form)


def object_frame(event_type: str, tree: Object, form: Wanted) -> bytes:
    """A frame of a tree that was made for it."""
    if form.encoding == "protobuf":
        return envelope.event_frame(event_type, protobuf.encode(tree))
    return stored_object.event_frame(event_type, msgspec.json.encode(tree))


class _SharedFrames:
    """Frames that every watch of one form shares, kept with their events."""

    def __init__(self, form: Wanted) -> None:
        self._form = form
        self._read = rendering.read_for(form)
        self._prefix = f"{form.encoding} {form.form} {form.version} "

    def __call__(self, event: CacheEvent, seen_as: EventType) -> bytes:
        name = self._prefix + seen_as
        made = event.frames.get(name)
        if made is None:
            tree = self._read(event.subject(seen_as))
            if self._form.form == "metadata":
                tree = table.partial(tree, self._form.version)
            made = event.frames[name] = object_frame(seen_as, tree, self._form)
        return made


class _TableFrames:
    """Frames of one watch that asked for tables: the columns come with the first alone."""

    def __init__(
        self, kind: Kind, form: Wanted, include: table.IncludeObject, clock: rendering.Clock
    ) -> None:
        self._kind = kind
        self._form = form
        self._read = rendering.read_for(form)
        self._include = include
        self._clock = clock
        self._first = True

    def __call__(self, event: CacheEvent, seen_as: EventType) -> bytes:
        tree = self._read(event.subject(seen_as))
        version = self._form.version
        rows = [table.row(self._kind, tree, self._clock(), self._include, version)]
        metadata = {"resourceVersion": tree["metadata"]["resourceVersion"]}
        made = table.table(
            self._kind, rows, metadata=metadata, with_columns=self._first, version=version
        )
        self._first = False
        return object_frame(seen_as, made, self._form)


def bookmark_frame(kind: Kind, revision: int, form: Wanted, *, ends_initial: bool) -> bytes:
    """Tells a watcher that it has seen everything up to a revision."""
    resource = kind.resource
    metadata: Object = {"resourceVersion": str(revision)}
    if ends_initial:
        metadata["annotations"] = _INITIAL_END
    bookmark: Object = {
        "kind": resource.kind,
        "apiVersion": resource.group_version,
        "metadata": metadata,
    }
    if form.form == "table":
        bookmark = table.table(
            kind, (), metadata=metadata, with_columns=False, version=form.version
        )
    elif form.form == "metadata":
        bookmark = table.partial(bookmark, form.version)
    return object_frame("BOOKMARK", bookmark, form)


def error_frame(told: Object, form: Wanted) -> bytes:
    """Ends a watch with a Status."""
    return object_frame("ERROR", told, form)
