"""Objects as answers, in the form that the client asked for.

Whole objects in JSON leave as the cache's own bytes; every other form is made on demand.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
import yaml

from sampan.control.api.cache.stored_object import CacheEvent, EventType, StoredObject, event_frame
from sampan.control.api.cache.watcher import Render, shared_frame
from sampan.control.api.negotiation import Wanted, wanted
from sampan.control.api.refusal import JSON_HEADERS, Refused
from sampan.foundation.wire.message import Request, Response
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.machinery import status, table

Clock = Callable[[], datetime]

OBJECTS_A_SLICE = 32

_encode = msgspec.json.Encoder().encode
_INCLUDES: dict[str, table.IncludeObject] = {
    "": "Metadata",
    "None": "None",
    "Metadata": "Metadata",
    "Object": "Object",
}


class _YamlDumper(yaml.CSafeDumper):
    """Without anchors: what is shared in the tree is written out."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def yaml_of(tree: Any) -> bytes:
    """A tree as a YAML document."""
    text: str = yaml.dump(tree, Dumper=_YamlDumper, default_flow_style=False)
    return text.encode()


def document(tree: Object, form: Wanted, code: int = 200) -> Response:
    """A tree that was made for this answer."""
    body = yaml_of(tree) if form.encoding == "yaml" else _encode(tree)
    return Response(status=code, headers={"Content-Type": form.content_type}, body=body)


def include_of(request: Request) -> table.IncludeObject:
    """How much of each object a table's rows carry. Raises Refused (400)."""
    choice = request.parameter("includeObject")
    if choice not in _INCLUDES:
        raise Refused(status.bad_request(f"unrecognized includeObject value: {choice!r}"))
    return _INCLUDES[choice]


def one(kind: Kind, data: bytes, request: Request, clock: Clock, code: int = 200) -> Response:
    """An object whose JSON is `data`. Raises Refused."""
    form = wanted(request.headers.get("accept", ""))
    if form.form == "whole" and form.encoding == "json":
        return Response(status=code, headers=JSON_HEADERS, body=data)
    tree: Object = msgspec.json.decode(data)
    if form.form == "table":
        rows = [table.row(kind, tree, clock(), include_of(request))]
        version = {"resourceVersion": tree["metadata"].get("resourceVersion", "")}
        tree = table.table(kind, rows, metadata=version)
    elif form.form == "metadata":
        tree = table.partial(tree)
    return document(tree, form, code)


async def many(
    kind: Kind, objects: Sequence[StoredObject], metadata: Object, request: Request, clock: Clock
) -> Response:
    """A list; `metadata` is the list's own. Raises Refused."""
    form = wanted(request.headers.get("accept", ""))
    if form.form == "table":
        now, include = clock(), include_of(request)
        empty = table.table(kind, (), metadata=metadata)
        pieces = await _sliced(objects, empty, lambda tree: table.row(kind, tree, now, include))
    elif form.form == "metadata":
        pieces = await _sliced(objects, table.partial_list((), metadata), table.partial)
    else:
        pieces = list(_pieces(kind, objects, metadata))
    if form.encoding == "yaml":
        return document(msgspec.json.decode(b"".join(pieces)), form)
    return Response(headers=JSON_HEADERS, body=pieces)


async def _sliced(
    objects: Sequence[StoredObject], empty: Object, made: Callable[[Object], Object]
) -> list[bytes]:
    """The JSON of `empty`, whose last member is an empty array, with that array filled.

    Making a row takes tens of microseconds, so other requests get their turn in between.
    """
    pieces = [_encode(empty).removesuffix(b"]}")]
    for position, stored in enumerate(objects):
        if position:
            pieces.append(b",")
            if position % OBJECTS_A_SLICE == 0:
                await asyncio.sleep(0)
        pieces.append(_encode(made(stored.decoded())))
    pieces.append(b"]}")
    return pieces


def _pieces(kind: Kind, objects: Sequence[StoredObject], metadata: Object) -> Iterator[bytes]:
    resource = kind.resource
    yield b'{"kind":"%bList","apiVersion":"%b","metadata":%b,"items":[' % (
        resource.kind.encode(),
        resource.group_version.encode(),
        _encode(metadata),
    )
    separator = False
    for stored in objects:
        if separator:
            yield b","
        yield stored.data
        separator = True
    yield b"]}"


def render_for(kind: Kind, request: Request, form: Wanted, clock: Clock) -> Render:
    """How a watch's frames are made; whole objects share one frame among all watchers."""
    if form.encoding == "yaml":
        raise Refused(status.not_acceptable(("application/json",)))
    if form.form == "whole":
        return shared_frame
    if form.form == "metadata":
        return _partial_frame
    return _TableFrames(kind, include_of(request), clock)


def _partial_frame(event: CacheEvent, seen_as: EventType) -> bytes:
    return event_frame(seen_as, _encode(table.partial(msgspec.json.decode(event.subject(seen_as)))))


class _TableFrames:
    """Frames of one watch that asked for tables: the columns come with the first alone."""

    def __init__(self, kind: Kind, include: table.IncludeObject, clock: Clock) -> None:
        self._kind = kind
        self._include = include
        self._clock = clock
        self._first = True

    def __call__(self, event: CacheEvent, seen_as: EventType) -> bytes:
        tree: Object = msgspec.json.decode(event.subject(seen_as))
        rows = [table.row(self._kind, tree, self._clock(), self._include)]
        metadata = {"resourceVersion": tree["metadata"]["resourceVersion"]}
        made = table.table(self._kind, rows, metadata=metadata, with_columns=self._first)
        self._first = False
        return event_frame(seen_as, _encode(made))


def bookmark_frame(kind: Kind, revision: int, form: Wanted, *, ends_initial: bool) -> bytes:
    """Tells a watcher that it has seen everything up to a revision."""
    resource = kind.resource
    metadata: Object = {"resourceVersion": str(revision)}
    if ends_initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    bookmark: Object = {
        "kind": resource.kind,
        "apiVersion": resource.group_version,
        "metadata": metadata,
    }
    if form.form == "table":
        bookmark = table.table(kind, (), metadata=metadata, with_columns=False)
    elif form.form == "metadata":
        bookmark = table.partial(bookmark)
    return event_frame("BOOKMARK", _encode(bookmark))
