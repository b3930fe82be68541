"""One version of an object in the cache, and the bytes that stand for it.

An object is encoded once. The store keeps it without its resourceVersion, because only the
commit gives that; it is spliced in here, once for each version. It must not know HTTP.
"""

from typing import Any, Literal

import msgspec

from sampan.kubernetes.kinds.kind import Kind, Object

EventType = Literal["ADDED", "MODIFIED", "DELETED"]

UNREADABLE = (msgspec.DecodeError, KeyError, TypeError, ValueError)
"""What reading a value that isn't an object raises."""

_METADATA = b'"metadata":{'
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class StoredObject(msgspec.Struct, frozen=True, gc=False):
    """A version of an object. `data` is its JSON with the resourceVersion `revision`;
    `key` is `namespace/name`, with nothing before the slash for cluster-scoped kinds."""

    key: str
    revision: int
    data: bytes
    labels: dict[str, str]
    fields: dict[str, str]

    @property
    def name(self) -> str:
        return self.key.partition("/")[2]

    def decoded(self) -> Object:
        """A fresh tree that the caller may change."""
        return _decode(self.data)


class CacheEvent(msgspec.Struct, gc=False):
    """A change of one object: `old` is None for a creation, `new` for a deletion.

    The frames that go to watchers are made on demand and shared by all of them.
    """

    revision: int
    old: StoredObject | None
    new: StoredObject | None
    frames: dict[str, bytes] = {}

    def frame(self, kind: EventType) -> bytes:
        """The bytes of this change told as `kind`; one that leaves a selector is DELETED."""
        made = self.frames.get(kind)
        if made is None:
            made = self.frames[kind] = event_frame(kind, self.subject(kind))
        return made

    def subject(self, kind: EventType) -> bytes:
        """The JSON of the object that the event shows."""
        if kind != "DELETED" and self.new is not None:
            return self.new.data
        gone = self.old if self.old is not None else self.new
        assert gone is not None
        return _with_revision(gone, self.revision)

    @property
    def size(self) -> int:
        return len(self.new.data if self.new is not None else self.old.data if self.old else b"")


def event_frame(kind: str, data: bytes) -> bytes:
    """One line of a watch."""
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), data)


def store_key(kind: Kind, key: str) -> bytes:
    """Where an object lies in the store: `/GROUP/PLURAL/NAMESPACE/NAME`."""
    return store_prefix(kind) + key.encode()


def store_prefix(kind: Kind) -> bytes:
    place = kind.place
    return f"/{place.group or 'core'}/{place.plural}/".encode()


def stored_value(tree: Object, spec: bytes = b"") -> bytes:
    """The bytes to store: apiVersion, kind and metadata first, without the resourceVersion.

    `spec` is the JSON of the object's spec, where that is known already.
    """
    metadata = {name: value for name, value in tree["metadata"].items() if name != _VERSION}
    ordered = {"apiVersion": tree["apiVersion"], "kind": tree["kind"]} | tree
    ordered["metadata"] = metadata
    if spec:
        ordered["spec"] = msgspec.Raw(spec)
    return _encode(ordered)


def spliced(value: bytes, revision: int) -> bytes:
    """A stored value with its resourceVersion put in."""
    return value.replace(_METADATA, b'"metadata":{"resourceVersion":"%d",' % revision, 1)


def from_store(kind: Kind, key: str, value: bytes, revision: int) -> StoredObject:
    """A committed value, read for what selectors ask. Raises msgspec.DecodeError."""
    if kind.from_stored is not None:
        value = kind.from_stored(value)
    return _read(kind, key, spliced(value, revision), revision)


def in_version(kind: Kind, stored: StoredObject, data: bytes) -> StoredObject:
    """An object in another version, whose JSON is `data`. Raises msgspec.DecodeError."""
    return _read(kind, stored.key, data, stored.revision)


def _read(kind: Kind, key: str, data: bytes, revision: int) -> StoredObject:
    tree = kind.decode_selectable(data)
    labels = tree["metadata"].get("labels") or {}
    return StoredObject(key, revision, data, labels, kind.selectable(tree))


def _with_revision(stored: StoredObject, revision: int) -> bytes:
    return stored.data.replace(
        b'"resourceVersion":"%d"' % stored.revision, b'"resourceVersion":"%d"' % revision, 1
    )


_VERSION = "resourceVersion"
