"""A tree of files sent to the client, which asks for the contents that it wants."""

import asyncio

from sampan.engine.build.file_tree import FileTree, TreeFile
from sampan.engine.images.bridge import pieces_of
from sampan.faces.dockerapi.buildkit import file_packets, grpc
from sampan.foundation.wire import protobuf_fields as protobuf


async def send_files(call: grpc.GrpcStream, tree: FileTree) -> None:
    """Raises CallFailed, ConnectionError, OSError."""
    files = await asyncio.to_thread(lambda: list(tree.files()))
    for file in files:
        await call.send(file_packets.stat_packet(_told(file)))
    await call.send(file_packets.stat_packet(b""))
    async for message in call.messages():
        packet = protobuf.Fields(message)
        match file_packets.kind_of(packet):
            case file_packets.REQUEST:
                await _send_content(call, files, packet.integer(3))
            case file_packets.FIN:
                await call.send(file_packets.packet(file_packets.FIN), end=True)
            case file_packets.ERROR:
                raise grpc.CallFailed(grpc.UNKNOWN, packet.text(4))
    call.check()


async def _send_content(call: grpc.GrpcStream, files: list[TreeFile], number: int) -> None:
    if number >= len(files):
        raise grpc.CallFailed(grpc.INVALID, f"there is no file {number}")
    file = files[number]
    if file.has_content:
        async for piece in pieces_of(file.content()):
            await call.send(file_packets.packet(file_packets.DATA, number, piece))
    await call.send(file_packets.packet(file_packets.DATA, number))


def _told(file: TreeFile) -> bytes:
    attributes = (
        protobuf.message(10, protobuf.text(1, name) + protobuf.data(2, value))
        for name, value in file.attributes.items()
    )
    return (
        protobuf.text(1, file.path)
        + protobuf.integer(2, file_packets.go_mode(file.mode))
        + protobuf.integer(3, file.uid)
        + protobuf.integer(4, file.gid)
        + protobuf.integer(5, file.size)
        + protobuf.integer(6, file.modified)
        + protobuf.text(7, file.link)
        + b"".join(attributes)
    )
