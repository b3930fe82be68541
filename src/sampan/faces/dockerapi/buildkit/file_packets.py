"""The packets by which folders go from one end of a session to the other, in either direction.

Source: the protocol buffers of `fsutil` (`types/wire.proto`, `types/stat.proto`), which BuildKit
sends with its method DiffCopy: every file is told first, contents are asked for by number.
"""

import stat

from sampan.foundation.wire import protobuf_fields as protobuf
from sampan.foundation.wire.protobuf_fields import Fields

STAT, REQUEST, DATA, FIN, ERROR = range(5)
# The bits of Go's os.FileMode.
KINDS = (
    (1 << 31, stat.S_IFDIR),
    (1 << 27, stat.S_IFLNK),
    (1 << 25, stat.S_IFIFO),
    (1 << 24, stat.S_IFSOCK),
    (1 << 26, stat.S_IFBLK),
)
BITS = ((1 << 23, stat.S_ISUID), (1 << 22, stat.S_ISGID), (1 << 20, stat.S_ISVTX))


def kind_of(packet: Fields) -> int:
    return packet.integer(1)


def packet(kind: int, number: int = 0, content: bytes = b"") -> bytes:
    return protobuf.integer(1, kind) + protobuf.integer(3, number) + protobuf.data(4, content)


def stat_packet(found: bytes) -> bytes:
    """One file told of; of nothing, the end of them all."""
    return protobuf.message(2, found) if found else b""


def go_mode(mode: int) -> int:
    """A mode of stat(2) as Go writes it."""
    kind = sum(mark for mark, kind in KINDS if stat.S_IFMT(mode) == kind)
    return mode & 0o777 | kind | sum(mark for mark, bit in BITS if mode & bit)


def unix_mode(mode: int) -> tuple[int, int]:
    """Kind and permissions as stat(2) has them, of a mode of Go's."""
    kind = next((kind for mark, kind in KINDS if mode & mark), stat.S_IFREG)
    return kind, mode & 0o777 | sum(bit for mark, bit in BITS if mode & mark)
