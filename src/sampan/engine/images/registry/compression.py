"""Layers made here, compressed for their way to a registry. Blocks: call it in a thread.

The same layer always becomes the same bytes, so that pushing it twice finds it there.
"""

import hashlib
import struct
import zlib

from sampan.engine.images.blobs import BlobStore
from sampan.engine.images.documents import LAYER_TYPE, Descriptor
from sampan.engine.images.pins import PinSet
from sampan.engine.images.streams import CHUNK

GZIP_LAYER_TYPE = f"{LAYER_TYPE}+gzip"
_LEVEL = 6
_WINDOW = -15
# No name, no time, an unknown system (RFC 1952).
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def compressed_layer(blobs: BlobStore, layer: Descriptor, pins: PinSet) -> Descriptor:
    """The descriptor of the layer's gzip form, which is in the store. Raises OSError."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW)
    digest = hashlib.sha256(_HEADER)
    checksum, size, written = 0, 0, len(_HEADER)
    with blobs.incoming() as out, blobs.path(layer.digest).open("rb") as plain:
        out.write(_HEADER)
        while piece := plain.read(CHUNK):
            checksum = zlib.crc32(piece, checksum)
            size += len(piece)
            packed = compressor.compress(piece)
            digest.update(packed)
            written += out.write(packed)
        tail = compressor.flush() + struct.pack("<II", checksum, size & 0xFFFFFFFF)
        digest.update(tail)
        written += out.write(tail)
        name = f"sha256:{digest.hexdigest()}"
        pins.add(name)
        blobs.keep(out, name)
    return Descriptor(media_type=GZIP_LAYER_TYPE, digest=name, size=written)
