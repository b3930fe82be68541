"""The forms of the documents by which the API tells about itself, told from the Accept header.

Discovery comes whole (`APIGroupDiscoveryList`) or a document a group, as JSON, YAML or protobuf;
OpenAPI as JSON or as gnostic's protobuf; everything else as JSON. Pure.
"""

import msgspec

from sampan.control.api.forms import negotiation
from sampan.control.api.forms.negotiation import MEDIA_TYPES, Encoding
from sampan.control.api.forms.rendering import encoded
from sampan.control.api.protobuf import openapi_encoding
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery import status

_JSON = MEDIA_TYPES["json"]
_AGGREGATED = {"g": "apidiscovery.k8s.io", "v": "v2", "as": "APIGroupDiscoveryList"}
_AGGREGATED_PATHS = ("/api", "/apis")
_ANYTHING = ("*/*", "application/*")
_ENCODINGS = {media_type: encoding for encoding, media_type in MEDIA_TYPES.items()}


class DocumentForm(msgspec.Struct, frozen=True):
    """`gnostic` is set for OpenAPI in its own protobuf."""

    encoding: Encoding = "json"
    is_aggregated: bool = False
    gnostic: str = ""

    @property
    def content_type(self) -> str:
        if self.gnostic:
            return self.gnostic
        ending = "".join(f";{name}={value}" for name, value in _AGGREGATED.items())
        return MEDIA_TYPES[self.encoding] + (ending if self.is_aggregated else "")


def document_form(path: str, accept: str) -> DocumentForm:
    """The form in which a path's document leaves. Raises Refused (406)."""
    if not accept or not path.startswith(("/api", "/openapi/")):
        return DocumentForm()
    if path.startswith("/openapi/"):
        return _openapi_form(path, accept)
    return _discovery_form(path, accept)


def _openapi_form(path: str, accept: str) -> DocumentForm:
    is_version_2 = path == "/openapi/v2"
    gnostic = openapi_encoding.VERSION_2_TYPE if is_version_2 else openapi_encoding.VERSION_3_TYPE
    # The name that clients ask by; Go's own parser of media types would not read it in an answer.
    asked = gnostic.replace(".v1.0", "@v1.0")
    supported = (_JSON,) if path == "/openapi/v3" else (_JSON, gnostic)
    for choice in negotiation.choices_of(accept):
        if choice.media_type in (_JSON, *_ANYTHING):
            return DocumentForm()
        if choice.media_type in (gnostic, asked) and gnostic in supported:
            return DocumentForm(gnostic=gnostic)
    raise Refused(status.not_acceptable(supported))


def _discovery_form(path: str, accept: str) -> DocumentForm:
    for choice in negotiation.choices_of(accept):
        encoding: Encoding | None = _ENCODINGS.get(choice.media_type)
        if choice.media_type in _ANYTHING:
            encoding = "json"
        if encoding is None:
            continue
        if "as" not in choice.parameters:
            return DocumentForm(encoding)
        named = {name: choice.parameters.get(name) for name in _AGGREGATED}
        if path in _AGGREGATED_PATHS and named == _AGGREGATED:
            return DocumentForm(encoding, is_aggregated=True)
    raise Refused(status.not_acceptable(tuple(MEDIA_TYPES.values())))


def document_bytes(document: Object, form: DocumentForm) -> bytes:
    """A document in its form."""
    if form.gnostic == openapi_encoding.VERSION_2_TYPE:
        return openapi_encoding.version_2(document)
    if form.gnostic:
        return openapi_encoding.version_3(document)
    return encoded(document, form.encoding)
