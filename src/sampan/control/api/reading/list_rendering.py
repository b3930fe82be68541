"""Lists as answers, a slice at a time, so that no list holds up the loop.

Whole objects in JSON leave as the cache's own bytes. Every other form is made object by object,
with other requests in between, and joined to one document without being decoded again.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from sampan.control.api.cache.stored_object import StoredObject
from sampan.control.api.forms import rendering
from sampan.control.api.forms.negotiation import Wanted
from sampan.control.api.protobuf import encoding as protobuf
from sampan.control.api.protobuf import envelope
from sampan.control.api.protobuf.messages import META, message_name
from sampan.control.api.refusal import JSON_HEADERS
from sampan.foundation.wire import protobuf as wire
from sampan.foundation.wire.message import Request, Response
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.machinery import table

OBJECTS_A_SLICE = 24
_PIECES_A_SLICE = 4096
_LIST_METADATA = wire.key(1, wire.BYTES)
_encode = msgspec.json.Encoder().encode

_Item = Callable[[StoredObject], bytes]


class _Layout(msgspec.Struct):
    """A list without its items: what stands before, between and after them."""

    head: bytes
    separator: bytes
    tail: bytes
    empty: bytes


async def many(
    kind: Kind,
    objects: Sequence[StoredObject],
    metadata: Object,
    request: Request,
    clock: rendering.Clock,
) -> Response:
    """A list; `metadata` is the list's own. Raises Refused."""
    form = rendering.wanted_of(kind, request)
    headers = {**JSON_HEADERS, "Content-Type": form.content_type}
    if form.encoding == "protobuf":
        return Response(headers=headers, body=await _protobuf(kind, objects, metadata, form))
    pretty = form.encoding == "json" and rendering.wants_pretty(request)
    if form.form == "whole" and form.encoding == "json" and not pretty:
        return Response(headers=headers, body=await _pieces(kind, objects, metadata))
    empty, item = _parts(kind, metadata, request, clock, form)
    if form.encoding == "yaml":
        layout = _yaml_layout(empty)
        written = _yaml_item(item)
    else:
        layout = _json_layout(empty, pretty=pretty)
        written = _json_item(item, rendering.read_for(form), pretty=pretty)
    return Response(headers=headers, body=await _joined(objects, layout, written))


def _parts(
    kind: Kind, metadata: Object, request: Request, clock: rendering.Clock, form: Wanted
) -> tuple[Object, Callable[[Object], Object]]:
    """The list without items, its last member empty, and what becomes of an object in it."""
    if form.form == "table":
        now, include = clock(), rendering.include_of(request)
        empty = table.table(kind, (), metadata=metadata, version=form.version)
        return empty, lambda tree: table.row(kind, tree, now, include, form.version)
    if form.form == "metadata":
        empty = table.partial_list((), metadata, form.version)
        return empty, lambda tree: table.partial(tree, form.version)
    resource = kind.resource
    empty = {"kind": f"{resource.kind}List", "apiVersion": resource.group_version}
    return {**empty, "metadata": metadata, "items": []}, lambda tree: tree


async def _joined(objects: Sequence[StoredObject], layout: _Layout, item: _Item) -> list[bytes]:
    if not objects:
        return [layout.empty]
    pieces = [layout.head]
    for position, stored in enumerate(objects):
        if position:
            pieces.append(layout.separator)
            if position % OBJECTS_A_SLICE == 0:
                await asyncio.sleep(0)
        pieces.append(item(stored))
    pieces.append(layout.tail)
    return pieces


def _json_layout(empty: Object, *, pretty: bool) -> _Layout:
    data = _encode(empty)
    if not pretty:
        return _Layout(data.removesuffix(b"]}"), b",", b"]}", data)
    shown = rendering.pretty_json(data)
    return _Layout(shown.removesuffix(b"]\n}") + b"\n    ", b",\n    ", b"\n  ]\n}", shown)


def _json_item(
    made: Callable[[Object], Object], read: Callable[[bytes], Object], *, pretty: bool
) -> _Item:
    if not pretty:
        return lambda stored: _encode(made(read(stored.data)))
    return lambda stored: rendering.pretty_json(_encode(made(read(stored.data)))).replace(
        b"\n", b"\n    "
    )


def _yaml_layout(empty: Object) -> _Layout:
    """Items are a member's block sequence, which may stand at the member's own indentation."""
    items = list(empty)[-1]
    others = {name: value for name, value in empty.items() if name != items}
    head = rendering.yaml_of(others) + f"{items}:\n".encode()
    return _Layout(head, b"", b"", rendering.yaml_of(empty))


def _yaml_item(made: Callable[[Object], Object]) -> _Item:
    return lambda stored: rendering.yaml_of([made(stored.decoded())])


async def _protobuf(
    kind: Kind, objects: Sequence[StoredObject], metadata: Object, form: Wanted
) -> list[bytes]:
    """A list's message is its metadata and a row of items, so it is joined as those are."""
    resource = kind.resource
    version, list_kind = resource.group_version, f"{resource.kind}List"
    item = META + "PartialObjectMetadata"
    if form.form == "metadata":
        version, list_kind = form.version, "PartialObjectMetadataList"
    else:
        item = message_name(version, resource.kind)
    write, read = protobuf.item_writer(item), rendering.read_for(form)
    list_metadata = protobuf.message_writer(META + "ListMeta")(metadata)
    pieces = [wire.sized(_LIST_METADATA, list_metadata)]
    for position, stored in enumerate(objects):
        if position and position % OBJECTS_A_SLICE == 0:
            await asyncio.sleep(0)
        pieces.append(write(read(stored.data)))
    return envelope.wrapped_pieces(version, list_kind, pieces)


async def _pieces(kind: Kind, objects: Sequence[StoredObject], metadata: Object) -> list[bytes]:
    """Whole objects in JSON: not a byte of them is copied here."""
    resource = kind.resource
    head = b'{"kind":"%bList","apiVersion":"%b","metadata":%b,"items":[' % (
        resource.kind.encode(),
        resource.group_version.encode(),
        _encode(metadata),
    )
    pieces = [head]
    for start in range(0, len(objects), _PIECES_A_SLICE):
        if start:
            await asyncio.sleep(0)
        for stored in objects[start : start + _PIECES_A_SLICE]:
            pieces += (stored.data, b",")
    if objects:
        pieces.pop()
    pieces.append(b"]}")
    return pieces
