"""In which form an answer is wanted, told from the Accept header. Pure."""

from functools import lru_cache
from typing import Literal

import msgspec

from sampan.control.api.refusal import Refused
from sampan.kubernetes.machinery import status

Form = Literal["whole", "table", "metadata"]
Encoding = Literal["json", "yaml"]

_SUPPORTED = ("application/json", "application/yaml")
_FORMS: dict[str, Form] = {
    "Table": "table",
    "PartialObjectMetadata": "metadata",
    "PartialObjectMetadataList": "metadata",
}
_LONGEST_HEADER = 4096


class Wanted(msgspec.Struct, frozen=True):
    form: Form = "whole"
    encoding: Encoding = "json"

    @property
    def content_type(self) -> str:
        return f"application/{self.encoding}"


def wanted(accept: str) -> Wanted:
    """The first form in the header that can be served. Raises Refused (406)."""
    if not accept:
        return Wanted()
    found = _wanted(accept[:_LONGEST_HEADER])
    if found is None:
        raise Refused(status.not_acceptable(_SUPPORTED))
    return found


@lru_cache(maxsize=256)
def _wanted(accept: str) -> Wanted | None:
    for choice in accept.split(","):
        media_type, *parameters = (part.strip() for part in choice.split(";"))
        named = dict(parameter.partition("=")[::2] for parameter in parameters)
        encoding = _encoding(media_type)
        if encoding is None:
            continue
        if "as" not in named:
            return Wanted("whole", encoding)
        if named["as"] in _FORMS and named.get("g") == "meta.k8s.io" and named.get("v") == "v1":
            return Wanted(_FORMS[named["as"]], encoding)
    return None


def _encoding(media_type: str) -> Encoding | None:
    if media_type in ("application/json", "application/*", "*/*"):
        return "json"
    return "yaml" if media_type == "application/yaml" else None
