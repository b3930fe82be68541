"""Objects decoded only to be written again in another form: what nobody looks into stays bytes.

The fields that each manager owns are often half of an object, and no form looks into them: they
stay as they are (`msgspec.Raw`), which JSON's encoder and protobuf's both write out unchanged.
Protobuf's writer remembers what it made of JSON that it has met before, as the siblings of one
template have it: the larger members of a spec are left to it as they are.
"""

import types
from typing import Any, TypedDict

import msgspec

from sampan.control.api.protobuf.encoding import Undecoded
from sampan.control.api.protobuf.messages import META, fields_of
from sampan.kubernetes.kinds.kind import Object

_WORTH_REMEMBERING = 128

# The type checker knows this form with literal fields only.
_typed_dict: Any = TypedDict


def _members(message: str, **others: Any) -> dict[str, Any]:
    return {field.name: Any for field in fields_of(META + message)} | others


_Owner: Any = _typed_dict(
    "_Owner", _members("ManagedFieldsEntry", fieldsV1=msgspec.Raw), total=False
)
_Owners: Any = types.GenericAlias(list, (_Owner,))
_Metadata: Any = _typed_dict(
    "_Metadata", _members("ObjectMeta", managedFields=_Owners), total=False
)
_Partial = _typed_dict("_Partial", {"metadata": _Metadata})

_split = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_metadata = msgspec.json.Decoder(_Metadata).decode
_any = msgspec.json.Decoder(Any).decode
_partial = msgspec.json.Decoder(_Partial).decode


def whole(data: bytes) -> Object:
    """An object, with its owned fields as bytes. Raises msgspec.DecodeError."""
    members = _split(data)
    return {
        name: _metadata(raw) if name == "metadata" else _any(raw) for name, raw in members.items()
    }


def for_protobuf(data: bytes) -> Object:
    """The same with the larger members of its spec as bytes, too. Raises msgspec.DecodeError."""
    members: Object = _split(data)
    for name, raw in members.items():
        if name == "metadata":
            members[name] = _metadata(raw)
        elif name == "spec" and bytes(raw)[:1] == b"{":
            members[name] = {
                field: _remembered_or_read(bytes(value)) for field, value in _split(raw).items()
            }
        else:
            members[name] = _any(raw)
    return members


def _remembered_or_read(data: bytes) -> Any:
    worth_it = len(data) > _WORTH_REMEMBERING and data[0] in b"{["
    return Undecoded(data) if worth_it else _any(data)


def metadata_alone(data: bytes) -> Object:
    """An object of which only the metadata is read. Raises msgspec.DecodeError."""
    partial: Object = _partial(data)
    return partial
