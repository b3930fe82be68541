"""An SSH agent of the client's, as a Unix socket here for as long as a command needs it.

Source: BuildKit's `session/sshforward/ssh.proto`: each connection is one call of `ForwardAgent`,
which carries its bytes in both directions. What agents say to each other is not read.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sampan.faces.dockerapi.buildkit import grpc
from sampan.faces.dockerapi.buildkit.http2 import Http2Connection
from sampan.foundation.wire import protobuf_fields as protobuf

_SERVICE = "/moby.sshforward.v1.SSH"
_AGENT = "buildkit.ssh.id"
_PIECE = 32 << 10


async def has_agent(connection: Http2Connection, identifier: str) -> bool:
    """Whether the client forwards an agent of this name. Raises ConnectionError."""
    try:
        await grpc.ask(connection, f"{_SERVICE}/CheckAgent", protobuf.text(1, identifier))
    except grpc.CallFailed:
        return False
    return True


@asynccontextmanager
async def forwarded_agent(connection: Http2Connection, identifier: str) -> AsyncIterator[Path]:
    """The socket, in a folder that nobody else can enter. Raises OSError."""
    serving: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(
            _forward(connection, identifier, reader, writer)
        )
        serving.add(task)
        task.add_done_callback(serving.discard)

    # The address of a socket holds 107 bytes: it can't lie deep in the engine's own folders.
    with tempfile.TemporaryDirectory(prefix="sampan-agent-") as folder:
        place = Path(folder) / "agent"
        server = await asyncio.start_unix_server(accept, place)
        try:
            yield place
        finally:
            server.close()
            left = tuple(serving)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)


async def _forward(
    connection: Http2Connection,
    identifier: str,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """One connection of a command's, until either side ends it."""
    try:
        call = await grpc.open_call(connection, f"{_SERVICE}/ForwardAgent", [(_AGENT, identifier)])
        asked = asyncio.get_running_loop().create_task(_send(call, reader))
        try:
            async for message in call.messages():
                writer.write(protobuf.Fields(message).data(1))
                await writer.drain()
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            await call.cancel()
    except (ConnectionError, grpc.CallFailed):
        return  # the command sees its connection end
    finally:
        writer.close()


async def _send(call: grpc.GrpcStream, reader: asyncio.StreamReader) -> None:
    while piece := await reader.read(_PIECE):
        await call.send(protobuf.data(1, piece))
    await call.end()
