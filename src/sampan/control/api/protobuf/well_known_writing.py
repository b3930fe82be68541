"""Messages whose JSON is not an object of their fields, written: the counterpart of
`well_known_reading`.

Each function takes a JSON value and gives the message's bytes, without key or length, as Go
writes them: every field, in the order of the numbers.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from sampan.control.api.protobuf.messages import META
from sampan.foundation.wire.protobuf import sized, varint
from sampan.kubernetes.machinery import timestamps

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _SECOND, _THIRD = b"\x08", b"\x10", b"\x1a"
_FIRST_BYTES = b"\x0a"
_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=4096)
def _time(text: str) -> bytes:
    """Seconds and nanoseconds. Raises InvalidTimestamp."""
    since = timestamps.parse(text) - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    return _FIRST + varint(seconds) + _SECOND + varint(since.microseconds * 1000)


@lru_cache(maxsize=1024)
def _quantity(value: str | float) -> bytes:
    return sized(_FIRST_BYTES, str(value).encode())


def _int_or_string(value: int | str) -> bytes:
    if isinstance(value, str):
        return b"\x08\x01\x10\x00" + sized(_THIRD, value.encode())
    return b"\x08\x00\x10" + varint(value) + b"\x1a\x00"


def _json(value: Any) -> bytes:
    """JSON that was left undecoded is written as it is."""
    data = bytes(value) if isinstance(value, msgspec.Raw) else _encode(value)
    return sized(_FIRST_BYTES, data)


WRITERS: dict[str, Callable[[Any], bytes]] = {
    META + "Time": _time,
    META + "MicroTime": _time,
    META + "FieldsV1": _json,
    "k8s.io.apimachinery.pkg.api.resource.Quantity": _quantity,
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "k8s.io.apimachinery.pkg.runtime.RawExtension": _json,
    "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSON": _json,
    "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1beta1.JSON": _json,
}
"""By the message's name."""

UNSET: dict[str, bytes] = {
    "k8s.io.apimachinery.pkg.api.resource.Quantity": _quantity("0"),
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string(0),
}
"""What Go writes for one that was never set, where that is not empty."""


def alternative(short_name: str, value: Any) -> dict[str, Any]:
    """The fields of one of apiextensions' JSONSchemaPropsOr…, from its JSON."""
    if short_name == "JSONSchemaPropsOrBool":
        return {"allows": value} if isinstance(value, bool) else {"allows": True, "schema": value}
    if isinstance(value, list):
        return {"jSONSchemas" if short_name == "JSONSchemaPropsOrArray" else "property": value}
    return {"schema": value}
