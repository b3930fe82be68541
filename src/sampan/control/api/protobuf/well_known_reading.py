"""Messages whose JSON is not an object of their fields, read: times, quantities, embedded JSON.

Each function takes a message's bytes and gives the JSON value; None is an unset one. The Go types
define their JSON themselves (apimachinery `Time`, `Quantity`, `IntOrString`, `RawExtension`).
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sampan.control.api.protobuf.messages import META
from sampan.foundation.wire.protobuf import (
    InvalidProtobuf,
    RawValue,
    read_fields,
    signed,
    text_of,
)
from sampan.kubernetes.machinery import codecs
from sampan.kubernetes.machinery.timestamps import to_microseconds, to_seconds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_SECOND = -62_135_596_800
_LATEST_SECOND = 253_402_300_799
_BILLION = 1_000_000_000


def _numbers(data: bytes) -> dict[int, RawValue]:
    return dict(read_fields(data))


def _time(data: bytes) -> datetime | None:
    """Seconds and nanoseconds; an empty message is Go's zero time."""
    parts = _numbers(data)
    if not parts:
        return None
    seconds, nanoseconds = parts.get(1, 0), parts.get(2, 0)
    if not isinstance(seconds, int) or not isinstance(nanoseconds, int):
        raise InvalidProtobuf("a time is malformed")
    seconds = signed(seconds)
    if not _EARLIEST_SECOND < seconds <= _LATEST_SECOND or nanoseconds >= _BILLION:
        return None
    return _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)


def _seconds(data: bytes) -> str | None:
    moment = _time(data)
    return None if moment is None else to_seconds(moment)


def _microseconds(data: bytes) -> str | None:
    moment = _time(data)
    return None if moment is None else to_microseconds(moment)


def _quantity(data: bytes) -> str:
    return text_of(_numbers(data).get(1, b"0"))


def _int_or_string(data: bytes) -> int | str:
    parts = _numbers(data)
    if parts.get(1, 0):
        return text_of(parts.get(3, b""))
    number = parts.get(2, 0)
    if not isinstance(number, int):
        raise InvalidProtobuf("text stands where a number belongs")
    return signed(number)


def _json(data: bytes) -> Any:
    """A message that holds JSON: RawExtension, FieldsV1, the JSON of a schema."""
    inner = _numbers(data).get(1, b"")
    if isinstance(inner, int) or not inner:
        return None
    try:
        return codecs.decode_json(inner, report_duplicates=False).tree
    except codecs.InvalidBody as error:
        raise InvalidProtobuf(f"an embedded object: {error}") from error


READERS: dict[str, Callable[[bytes], Any]] = {
    META + "Time": _seconds,
    META + "MicroTime": _microseconds,
    META + "FieldsV1": _json,
    "k8s.io.apimachinery.pkg.api.resource.Quantity": _quantity,
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSON": _json,
    "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1beta1.JSON": _json,
}
"""By the message's name. RawExtension is not here: it may hold protobuf."""

RAW_EXTENSION = "k8s.io.apimachinery.pkg.runtime.RawExtension"
LISTS = frozenset(("ExtraValue", "AttestationValue", "Verbs"))
"""Messages, by the last part of their names, that wrap one list and stand in JSON as that list."""

embedded_json = _json


def alternative(short_name: str, tree: dict[str, Any]) -> Any:
    """A schema or something simpler, as apiextensions' JSONSchemaPropsOr… have it."""
    if "schema" in tree:
        return tree["schema"]
    if short_name == "JSONSchemaPropsOrBool":
        return tree.get("allows", False)
    return tree.get("jSONSchemas" if short_name == "JSONSchemaPropsOrArray" else "property", [])


ALTERNATIVES = frozenset(
    ("JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrStringArray")
)
"""The messages that `alternative` is about."""
