"""One object, or a Status, as an answer in the form that the client asked for.

Whole objects in JSON leave as the cache's own bytes; every other form is made on demand.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import yaml

from sampan.control.api.forms import lean_decoding
from sampan.control.api.forms.negotiation import (
    MEDIA_TYPES,
    Encoding,
    Wanted,
    encoding_for_errors,
    wanted,
)
from sampan.control.api.protobuf import encoding as protobuf
from sampan.control.api.protobuf.messages import UnknownMessage, message_name
from sampan.control.api.refusal import JSON_HEADERS, Refused
from sampan.foundation.wire.message import Request, Response
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.machinery import status, table

Clock = Callable[[], datetime]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_INDENTATION = 2
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


def pretty_json(data: bytes) -> bytes:
    """JSON as people read it."""
    return msgspec.json.format(data, indent=_INDENTATION)


def encoded(tree: Object, encoding: Encoding) -> bytes:
    """A tree in an encoding; raises UnknownMessage for protobuf of what has no message."""
    if encoding == "json":
        return _encode(tree)
    return yaml_of(tree) if encoding == "yaml" else protobuf.encode(tree)


def in_protobuf(kind: Kind) -> bool:
    """Whether a kind's objects can be written in protobuf: those of custom resources can't."""
    try:
        message_name(kind.resource.group_version, kind.resource.kind)
    except UnknownMessage:
        return False
    return True


def wanted_of(kind: Kind, request: Request) -> Wanted:
    """The form in which a request wants objects of a kind. Raises Refused (406)."""
    form = wanted(request.headers.get("accept", ""))
    if form.encoding == "protobuf" and form.form == "whole" and not in_protobuf(kind):
        return wanted(request.headers.get("accept", ""), protobuf=False)
    return form


def wants_pretty(request: Request) -> bool:
    return bool(request.query) and request.parameter("pretty") in ("1", "true")


def read_for(form: Wanted) -> Callable[[bytes], Object]:
    """What decodes an object that is to be written in a form, and no more of it than needed."""
    if form.encoding == "yaml":
        return _decode
    if form.form == "metadata":
        return lean_decoding.metadata_alone
    if form.encoding == "protobuf":
        return lean_decoding.for_protobuf
    return lean_decoding.whole


def include_of(request: Request) -> table.IncludeObject:
    """How much of each object a table's rows carry. Raises Refused (400)."""
    choice = request.parameter("includeObject")
    if choice not in _INCLUDES:
        raise Refused(status.bad_request(f"unrecognized includeObject value: {choice!r}"))
    return _INCLUDES[choice]


def document(tree: Object, form: Wanted, code: int = 200) -> Response:
    """A tree that was made for this answer."""
    headers = {**JSON_HEADERS, "Content-Type": form.content_type}
    return Response(status=code, headers=headers, body=encoded(tree, form.encoding))


def status_answer(
    told: Object, request: Request, headers: dict[str, str] | None = None
) -> Response:
    """A Status as an answer; its code is the answer's."""
    encoding = encoding_for_errors(request.headers.get("accept", ""))
    return Response(
        status=int(told.get("code", 200)),
        headers={**JSON_HEADERS, "Content-Type": MEDIA_TYPES[encoding], **(headers or {})},
        body=encoded(told, encoding),
    )


def one(kind: Kind, data: bytes, request: Request, clock: Clock, code: int = 200) -> Response:
    """An object whose JSON is `data`. Raises Refused."""
    form = wanted_of(kind, request)
    if form.encoding == "json":
        if form.form != "whole":
            data = _encode(_transformed(kind, data, form, request, clock))
        if wants_pretty(request):
            data = pretty_json(data)
        return Response(status=code, headers=JSON_HEADERS, body=data)
    return document(_transformed(kind, data, form, request, clock), form, code)


def _transformed(kind: Kind, data: bytes, form: Wanted, request: Request, clock: Clock) -> Object:
    tree = read_for(form)(data)
    if form.form == "whole":
        return tree
    if form.form == "metadata":
        return table.partial(tree, form.version)
    rows = [table.row(kind, tree, clock(), include_of(request), form.version)]
    version = {"resourceVersion": tree["metadata"].get("resourceVersion", "")}
    return table.table(kind, rows, metadata=version, version=form.version)
