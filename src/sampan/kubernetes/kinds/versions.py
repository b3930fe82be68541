"""Versions of one built-in resource: one lies in the store, the others are made of it."""

from collections.abc import Callable
from typing import Any

import msgspec

from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.resource import Resource

Convert = Callable[[Object], Object]

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def as_version_of(home: Resource, kind: Kind, *, from_home: Convert, to_home: Convert) -> Kind:
    """`kind` as a further version of the resource `home`.

    `from_home` and `to_home` are pure: they give a new tree, which may share parts with the one
    that they were given, with all but apiVersion and kind as the other version has it.
    """
    return msgspec.structs.replace(
        kind,
        stored_as=home,
        from_stored=_converted(from_home, kind.resource),
        to_stored=_converted(to_home, home),
    )


def _converted(convert: Convert, resource: Resource) -> Callable[[bytes], bytes]:
    head = {"apiVersion": resource.group_version, "kind": resource.kind}

    def converted(value: bytes) -> bytes:
        tree = convert(_decode(value))
        return _encode({**head, "metadata": tree["metadata"], **tree, **head})

    return converted
