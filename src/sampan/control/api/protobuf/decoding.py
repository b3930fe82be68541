"""Bodies in `application/vnd.kubernetes.protobuf`, as client-go sends them for built-in kinds.

A body is four magic bytes and a `runtime.Unknown` that names the kind and holds the object's
own message. The encoding is protobuf's (https://protobuf.dev/programming-guides/encoding/); the
fields are those of `messages`. Go writes unset fields that are no pointers with their zero
value, which JSON leaves out: so are they here, but for the fields whose zero means something.
"""

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from sampan.control.api.protobuf.messages import META, Field, fields_of, message_name
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery.timestamps import to_microseconds, to_seconds

MAGIC = b"k8s\x00"
CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAXIMUM_DEPTH = 64
_MAXIMUM_FIELDS = 500_000
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_TRUE_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_SECOND = 253_402_300_799
_POINTERS = frozenset(
    (
        "activeDeadlineSeconds",
        "allocateLoadBalancerNodePorts",
        "allowPrivilegeEscalation",
        "automountServiceAccountToken",
        "blockOwnerDeletion",
        "controller",
        "defaultMode",
        "deletionGracePeriodSeconds",
        "enableServiceLinks",
        "fsGroup",
        "gracePeriodSeconds",
        "hostUsers",
        "immutable",
        "leaseTransitions",
        "mode",
        "optional",
        "orphanDependents",
        "priority",
        "privileged",
        "progressDeadlineSeconds",
        "readOnlyRootFilesystem",
        "ready",
        "replicas",
        "revisionHistoryLimit",
        "runAsGroup",
        "runAsNonRoot",
        "runAsUser",
        "serving",
        "setHostnameAsFQDN",
        "shareProcessNamespace",
        "storageClassName",
        "terminating",
        "terminationGracePeriodSeconds",
        "tolerationSeconds",
    )
)


class InvalidProtobuf(ValueError):
    """The bytes are no object in this form; the answer is 400."""


def decode(body: bytes, default_version: str, default_kind: str) -> Object:
    """The tree of an object; the defaults are used where the body doesn't say what it is.

    Raises InvalidProtobuf.
    """
    if not body.startswith(MAGIC):
        raise InvalidProtobuf("the body does not begin as Kubernetes' protobuf does")
    version, kind, raw = _unknown(memoryview(body)[len(MAGIC) :])
    version, kind = version or default_version, kind or default_kind
    try:
        tree = _Reader().message(message_name(version, kind), raw, 0)
    except KeyError as error:
        raise InvalidProtobuf(f"{kind} in {version} is not served in protobuf") from error
    except (UnicodeDecodeError, IndexError, OverflowError) as error:
        raise InvalidProtobuf("the body is cut off or malformed") from error
    return {"apiVersion": version, "kind": kind} | tree


def _unknown(data: memoryview) -> tuple[str, str, memoryview]:
    """apiVersion, kind and the object's bytes of a runtime.Unknown."""
    version, kind, raw = "", "", memoryview(b"")
    try:
        for number, value in _fields(data):
            if number == 1 and isinstance(value, memoryview):
                for part, text in _fields(value):
                    if part == 1:
                        version = _text(text)
                    elif part == 2:
                        kind = _text(text)
            elif number == 2 and isinstance(value, memoryview):
                raw = value
            elif number == 3 and _text(value):
                raise InvalidProtobuf("the body's content encoding is not supported")
    except (UnicodeDecodeError, IndexError) as error:
        raise InvalidProtobuf("the body is cut off or malformed") from error
    return version, kind, raw


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
        if shift > 63:
            raise InvalidProtobuf("a number is too long")


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The field numbers and raw values of a message."""
    position, end = 0, len(data)
    while position < end:
        key, position = _varint(data, position)
        wire = key & 7
        if wire == _VARINT:
            number, position = _varint(data, position)
            yield key >> 3, number
            continue
        if wire == _BYTES:
            size, position = _varint(data, position)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise InvalidProtobuf(f"wire type {wire} is not supported")
        if position + size > end:
            raise InvalidProtobuf("the body is cut off")
        yield key >> 3, data[position : position + size]
        position += size


def _text(value: int | memoryview) -> str:
    if isinstance(value, int):
        raise InvalidProtobuf("a number stands where text belongs")
    return str(value, "utf-8")


class _Reader:
    """Reads messages; bounded in depth and in the number of fields."""

    def __init__(self) -> None:
        self._left = _MAXIMUM_FIELDS

    def message(self, name: str, data: memoryview, depth: int) -> Object:
        if depth > _MAXIMUM_DEPTH:
            raise InvalidProtobuf("the body is nested too deeply")
        known = fields_of(name)
        tree: Object = {}
        for number, value in _fields(data):
            self._left -= 1
            if self._left < 0:
                raise InvalidProtobuf("the body holds too many fields")
            field = known.get(number)
            if field is not None:
                self._put(tree, field, value, depth)
        return tree

    def _put(self, tree: Object, field: Field, value: int | memoryview, depth: int) -> None:
        if field.label == "%":
            key, item = self._entry(field, value, depth)
            tree.setdefault(field.name, {})[key] = item
            return
        decoded = self._value(field.type, value, depth)
        if field.label == "*":
            tree.setdefault(field.name, []).append(decoded)
        elif field.label == "!":
            tree.update(decoded)
        elif decoded is not None and (
            decoded not in ("", 0) or (field.name in _POINTERS and decoded != "")
        ):
            tree[field.name] = decoded

    def _entry(self, field: Field, value: int | memoryview, depth: int) -> tuple[str, Any]:
        if isinstance(value, int):
            raise InvalidProtobuf("a number stands where a map's entry belongs")
        key, raw = "", memoryview(b"")
        for number, part in _fields(value):
            if number == 1:
                key = _text(part)
            elif number == 2 and isinstance(part, memoryview):
                raw = part
        return key, self._value(field.type, raw, depth)

    def _value(self, kind: str, value: int | memoryview, depth: int) -> Any:
        if isinstance(value, int):
            return _number(kind, value)
        if kind == "string":
            return str(value, "utf-8")
        if kind == "bytes":
            return base64.b64encode(value).decode()
        if kind in _SPECIAL:
            return _SPECIAL[kind](value)
        if "." not in kind:
            raise InvalidProtobuf(f"packed {kind} fields are not supported")
        tree = self.message(kind, value, depth + 1)
        # A message that only wraps a list stands in JSON as that list.
        return tree.get("items", []) if kind.endswith(_LISTS) else tree


_LISTS = (".ExtraValue", ".AttestationValue")


def _number(kind: str, value: int) -> Any:
    if kind == "bool":
        return value != 0
    if kind not in ("int32", "int64", "uint32", "uint64"):
        raise InvalidProtobuf(f"a number stands where {kind.rpartition('.')[2]} belongs")
    return value - 2**64 if value >= 2**63 and kind in ("int32", "int64") else value


def _numbers(data: memoryview) -> dict[int, int | memoryview]:
    return dict(_fields(data))


def _time(data: memoryview) -> datetime | None:
    """Seconds and nanoseconds; an empty message is Go's zero time."""
    parts = _numbers(data)
    seconds, nanoseconds = parts.get(1, 0), parts.get(2, 0)
    if not isinstance(seconds, int) or not isinstance(nanoseconds, int):
        raise InvalidProtobuf("a time is malformed")
    if not seconds or seconds > _LATEST_SECOND:
        return None
    return _TRUE_EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)


def _seconds(data: memoryview) -> str | None:
    moment = _time(data)
    return None if moment is None else to_seconds(moment)


def _microseconds(data: memoryview) -> str | None:
    moment = _time(data)
    return None if moment is None else to_microseconds(moment)


def _quantity(data: memoryview) -> str:
    return _text(_numbers(data).get(1, memoryview(b"0")))


def _int_or_string(data: memoryview) -> int | str:
    parts = _numbers(data)
    if parts.get(1, 0):
        return _text(parts.get(3, memoryview(b"")))
    number = parts.get(2, 0)
    return int(_number("int32", number)) if isinstance(number, int) else 0


def _raw(data: memoryview) -> Any:
    """A RawExtension or FieldsV1: JSON inside."""
    inner = _numbers(data).get(1, memoryview(b""))
    if isinstance(inner, int) or not inner:
        return None
    try:
        return msgspec.json.decode(inner)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidProtobuf("an embedded object is not JSON") from error


_SPECIAL: dict[str, Callable[[memoryview], Any]] = {
    META + "Time": _seconds,
    META + "MicroTime": _microseconds,
    "k8s.io.apimachinery.pkg.api.resource.Quantity": _quantity,
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "k8s.io.apimachinery.pkg.runtime.RawExtension": _raw,
    META + "FieldsV1": _raw,
}
