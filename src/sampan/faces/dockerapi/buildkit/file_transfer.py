"""A folder of the client's as a tar stream: the protocol of `moby.filesync.v1.FileSync/DiffCopy`.

The client tells of every file first, in the order of paths; we then ask for the contents, one
after another. What becomes of the files is the engine's: it unpacks the stream as any context.
"""

import stat
import tarfile
from collections.abc import AsyncIterator

import msgspec

from sampan.faces.dockerapi.buildkit import file_packets, grpc
from sampan.faces.dockerapi.buildkit.http2 import Http2Connection
from sampan.foundation.wire import protobuf_fields as protobuf

_METHOD = "/moby.filesync.v1.FileSync/DiffCopy"
_FILE_LIMIT = 500_000
_BLOCK = 512


class FolderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is how the client knows the folder; patterns are those of a .dockerignore."""

    name: str
    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True):
    number: int
    header: tarfile.TarInfo


async def folder_stream(connection: Http2Connection, wanted: FolderRequest) -> AsyncIterator[bytes]:
    """The folder as a plain tar. Raises CallFailed, ConnectionError."""
    call = await grpc.open_call(connection, _METHOD, _metadata(wanted))
    try:
        for file in await _files(call):
            yield file.header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
            if file.header.isreg() and file.header.size:
                async for piece in _content(call, file):
                    yield piece
                yield b"\0" * (-file.header.size % _BLOCK)
        yield b"\0" * (2 * _BLOCK)
        await call.send(file_packets.packet(file_packets.FIN))
        while (message := await call.receive()) is not None:
            if file_packets.kind_of(protobuf.Fields(message)) == file_packets.FIN:
                break
    finally:
        await call.cancel()


async def read_files(connection: Http2Connection, wanted: FolderRequest) -> dict[str, bytes]:
    """The regular files of a small folder by their paths. Raises CallFailed, ConnectionError."""
    call = await grpc.open_call(connection, _METHOD, _metadata(wanted))
    try:
        found: dict[str, bytes] = {}
        for file in await _files(call):
            if file.header.isreg() and file.header.size <= grpc.MESSAGE_LIMIT:
                pieces = [piece async for piece in _content(call, file)] if file.header.size else []
                found[file.header.name] = b"".join(pieces)
        await call.send(file_packets.packet(file_packets.FIN))
        return found
    finally:
        await call.cancel()


def _metadata(wanted: FolderRequest) -> list[tuple[str, str]]:
    return [
        ("dir-name", wanted.name),
        *(("include-patterns", pattern) for pattern in wanted.included),
        *(("exclude-patterns", pattern) for pattern in wanted.excluded),
    ]


async def _files(call: grpc.GrpcStream) -> list[_File]:
    files: list[_File] = []
    number = 0
    async for message in call.messages():
        packet = protobuf.Fields(message)
        if file_packets.kind_of(packet) == file_packets.ERROR:
            raise grpc.CallFailed(grpc.UNKNOWN, packet.text(4))
        if not packet.has(2) or not packet.data(2):
            return files
        if number >= _FILE_LIMIT:
            raise grpc.CallFailed(grpc.INVALID, f"a folder has more than {_FILE_LIMIT} files")
        header = _header(protobuf.Fields(packet.data(2)))
        if header is not None:
            files.append(_File(number, header))
        number += 1
    call.check()
    raise ConnectionResetError("the client's folder is cut off")


async def _content(call: grpc.GrpcStream, file: _File) -> AsyncIterator[bytes]:
    await call.send(file_packets.packet(file_packets.REQUEST, file.number))
    left = file.header.size
    while (message := await call.receive()) is not None:
        packet = protobuf.Fields(message)
        if file_packets.kind_of(packet) == file_packets.ERROR:
            raise grpc.CallFailed(grpc.UNKNOWN, packet.text(4))
        if file_packets.kind_of(packet) != file_packets.DATA or packet.integer(3) != file.number:
            raise grpc.CallFailed(grpc.INVALID, "the client sent what it wasn't asked for")
        piece = packet.data(4)
        if not piece:
            break
        left -= len(piece)
        if left < 0:
            break
        yield piece
    if left:
        raise grpc.CallFailed(grpc.UNKNOWN, f"{file.header.name} changed while it was sent")


def _header(found: protobuf.Fields) -> tarfile.TarInfo | None:
    """A file's header; None for what no context holds (sockets, devices)."""
    kind, mode = file_packets.unix_mode(found.integer(2))
    header = tarfile.TarInfo(found.text(1))
    header.mode = mode
    header.mtime = found.integer(6) // 1_000_000_000
    link = found.text(7)
    if kind == stat.S_IFDIR:
        header.type = tarfile.DIRTYPE
    elif kind == stat.S_IFLNK:
        header.type, header.linkname = tarfile.SYMTYPE, link
    elif kind == stat.S_IFIFO:
        header.type = tarfile.FIFOTYPE
    elif kind != stat.S_IFREG:
        return None
    elif link:
        header.type, header.linkname = tarfile.LNKTYPE, link
    else:
        header.size = found.integer(5)
    return header
