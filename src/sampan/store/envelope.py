"""The envelope in which a value lies on disk: storage version, key id, checksum, value.

The checksum covers the key too, so that a value can't come back under another's name.
Knows no files. Key id 0 means "not encrypted".
"""

import struct
import zlib

from sampan.store.contract import StoreError

_HEADER = struct.Struct(">BBI")
_STORAGE_VERSION = 1
_PLAIN = 0


class BadEnvelope(StoreError):
    """Stored bytes are not what was written."""


def seal(key: bytes, value: bytes) -> bytes:
    """What is stored for `value`."""
    checksum = zlib.crc32(value, zlib.crc32(key))
    return _HEADER.pack(_STORAGE_VERSION, _PLAIN, checksum) + value


def unseal(key: bytes, stored: bytes) -> bytes:
    """The value in `stored`. Raises BadEnvelope."""
    if len(stored) < _HEADER.size:
        raise BadEnvelope(f"the value of {key!r} is cut off")
    version, key_id, checksum = _HEADER.unpack_from(stored)
    if version != _STORAGE_VERSION or key_id != _PLAIN:
        raise BadEnvelope(f"the value of {key!r} has an unknown form ({version}, {key_id})")
    value = stored[_HEADER.size :]
    if zlib.crc32(value, zlib.crc32(key)) != checksum:
        raise BadEnvelope(f"the value of {key!r} has a wrong checksum")
    return value
