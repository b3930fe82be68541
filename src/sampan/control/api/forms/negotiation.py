"""In which form an answer is wanted, told from the Accept header (RFC 9110, section 12.5.1). Pure.

The rules are those of apiserver's `negotiation` package: of the choices with the highest weight
the first that can be served wins; a choice with parameters that can't be served is passed over.
"""

from functools import lru_cache
from typing import Literal

import msgspec

from sampan.control.api.protobuf.envelope import CONTENT_TYPE as PROTOBUF
from sampan.control.api.refusal import Refused
from sampan.kubernetes.machinery import status

Form = Literal["whole", "table", "metadata"]
Encoding = Literal["json", "yaml", "protobuf"]

MEDIA_TYPES: dict[Encoding, str] = {
    "json": "application/json",
    "yaml": "application/yaml",
    "protobuf": PROTOBUF,
}
_ENCODINGS = {media_type: encoding for encoding, media_type in MEDIA_TYPES.items()}
_ANYTHING = ("*/*", "application/*")
_META = "meta.k8s.io"
_META_VERSIONS = ("v1", "v1beta1")
_FORMS: dict[str, Form] = {
    "Table": "table",
    "PartialObjectMetadata": "metadata",
    "PartialObjectMetadataList": "metadata",
}
_LONGEST_HEADER = 4096


class Wanted(msgspec.Struct, frozen=True):
    """`version` is the apiVersion of the forms that stand for other objects."""

    form: Form = "whole"
    encoding: Encoding = "json"
    version: str = f"{_META}/v1"

    @property
    def content_type(self) -> str:
        return MEDIA_TYPES[self.encoding]


class Choice(msgspec.Struct, frozen=True):
    """One of the media types in a header, with its parameters."""

    media_type: str
    parameters: dict[str, str]
    weight: float


def wanted(accept: str, *, protobuf: bool = True, transformed: bool = True) -> Wanted:
    """The best form in the header that can be served; objects without a message can't be in
    `protobuf`, and answers that are no resource's not `transformed`. Raises Refused (406)."""
    if not accept:
        return Wanted()
    found = _wanted(accept[:_LONGEST_HEADER], protobuf, False, transformed)
    if found is None:
        raise Refused(status.not_acceptable(_supported(protobuf=protobuf)))
    return found


def wanted_stream(accept: str, *, protobuf: bool = True) -> Wanted:
    """The same for a watch. Raises Refused (406)."""
    if not accept:
        return Wanted()
    found = _wanted(accept[:_LONGEST_HEADER], protobuf, True, True)
    if found is None:
        supported = _supported(protobuf=protobuf, streamed=True)
        raise Refused(status.not_acceptable(supported))
    return found


def encoding_for_errors(accept: str) -> Encoding:
    """The encoding of a Status, whatever form the client wants of objects; never refuses."""
    for choice in choices_of(accept):
        if choice.media_type in _ANYTHING:
            return "json"
        if choice.media_type in _ENCODINGS:
            return _ENCODINGS[choice.media_type]
    return "json"


def _supported(*, protobuf: bool, streamed: bool = False) -> tuple[str, ...]:
    encodings: list[Encoding] = ["json"] if streamed else ["json", "yaml"]
    if protobuf:
        encodings.append("protobuf")
    ending = ";stream=watch" if streamed else ""
    return tuple(MEDIA_TYPES[encoding] + ending for encoding in encodings)


@lru_cache(maxsize=512)
def _wanted(accept: str, protobuf: bool, streamed: bool, transformed: bool) -> Wanted | None:
    for choice in choices_of(accept):
        encoding: Encoding | None = _ENCODINGS.get(choice.media_type)
        if choice.media_type in _ANYTHING:
            encoding = "json"
        if encoding is None or (encoding == "protobuf" and not protobuf):
            continue
        if encoding == "yaml" and streamed:
            continue
        if "as" in choice.parameters and not transformed:
            continue
        found = _transformed(encoding, choice.parameters)
        if found is not None and choice.parameters.get("stream", "watch") == "watch":
            return found
    return None


def _transformed(encoding: Encoding, parameters: dict[str, str]) -> Wanted | None:
    """The form that `as`, `g` and `v` ask for, None where it can't be served."""
    name = parameters.get("as")
    if name is None:
        return Wanted("whole", encoding)
    form, version = _FORMS.get(name), parameters.get("v", "")
    if form is None or parameters.get("g") != _META or version not in _META_VERSIONS:
        return None
    # A table's cells are of any type, for which protobuf has no message.
    if form == "table" and encoding == "protobuf":
        return None
    return Wanted(form, encoding, f"{_META}/{version}")


@lru_cache(maxsize=512)
def choices_of(accept: str) -> tuple[Choice, ...]:
    """The choices by falling weight, those of equal weight in their order; never those of
    weight zero."""
    texts = accept[:_LONGEST_HEADER].split(",")
    choices = [_choice(text) for text in texts if text.strip()]
    choices.sort(key=lambda choice: -choice.weight)
    return tuple(choice for choice in choices if choice.weight > 0)


def _choice(text: str) -> Choice:
    media_type, *parts = (part.strip() for part in text.split(";"))
    parameters = {
        name.strip().lower(): value.strip().strip('"')
        for name, _, value in (part.partition("=") for part in parts)
    }
    return Choice(media_type.lower(), parameters, _weight(parameters.pop("q", "1")))


def _weight(text: str) -> float:
    """A weight between 0 and 1; what isn't one counts as 1, as in apiserver."""
    try:
        weight = float(text)
    except ValueError:
        return 1.0
    return weight if 0 <= weight <= 1 else 1.0
