"""Calls from one end of a connection to the other, and a folder that comes through them."""

import asyncio
import io
import tarfile
from collections.abc import Awaitable, Callable

import pytest

from sampan.engine.contract import EngineError
from sampan.engine.images.reference import DEFAULT_REGISTRY
from sampan.faces.dockerapi.buildkit import grpc
from sampan.faces.dockerapi.buildkit.file_transfer import (
    FolderRequest,
    folder_stream,
    read_files,
)
from sampan.faces.dockerapi.buildkit.http2 import Http2Connection
from sampan.faces.dockerapi.buildkit.session import Sessions
from sampan.foundation.wire import protobuf_fields as protobuf

DIFF_COPY = "/moby.filesync.v1.FileSync/DiffCopy"


class Pipe:
    """One end of a connection within the process."""

    def __init__(self, incoming: asyncio.Queue[bytes], outgoing: asyncio.Queue[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    async def read(self) -> bytes:
        return await self._incoming.get()

    async def write(self, data: bytes) -> None:
        await self._outgoing.put(data)


def pipes() -> tuple[Pipe, Pipe]:
    there: asyncio.Queue[bytes] = asyncio.Queue()
    back: asyncio.Queue[bytes] = asyncio.Queue()
    return Pipe(back, there), Pipe(there, back)


def connected(
    handlers: dict[str, grpc.Handler], body: Callable[[Http2Connection], Awaitable[None]]
) -> None:
    async def both() -> None:
        ours, theirs = pipes()
        client = Http2Connection(ours)
        server = Http2Connection(theirs, grpc.serving(handlers))
        await client.begin()
        await server.begin()
        running = [asyncio.create_task(one.run()) for one in (client, server)]
        try:
            async with asyncio.timeout(10):
                await body(client)
        finally:
            await ours.write(b"")
            await theirs.write(b"")
            await asyncio.gather(*running)

    asyncio.run(both())


def test_messages_come_back_whole_whatever_their_size() -> None:
    async def echo(call: grpc.GrpcStream) -> None:
        async for message in call.messages():
            await call.send(message)

    async def body(connection: Http2Connection) -> None:
        large = bytes(range(256)) * 20_000  # several times a stream's window
        assert await grpc.ask(connection, "/echo", large) == large
        answers = await asyncio.gather(
            *(grpc.ask(connection, "/echo", b"%d" % number) for number in range(50))
        )
        assert answers == [b"%d" % number for number in range(50)]

    connected({"/echo": echo}, body)


def test_errors_come_as_statuses() -> None:
    async def refuse(call: grpc.GrpcStream) -> None:
        raise EngineError("No such image: ä%\n")

    async def body(connection: Http2Connection) -> None:
        with pytest.raises(grpc.CallFailed, match="No such image: ä%\n") as caught:
            await grpc.ask(connection, "/refuse", b"")
        assert caught.value.code == grpc.UNKNOWN
        with pytest.raises(grpc.CallFailed, match="unknown method /nosuch") as caught:
            await grpc.ask(connection, "/nosuch", b"")
        assert caught.value.code == grpc.UNIMPLEMENTED

    connected({"/refuse": refuse}, body)


def test_a_message_that_says_it_is_endless_is_refused() -> None:
    async def take(call: grpc.GrpcStream) -> None:
        await call.receive()

    async def body(connection: Http2Connection) -> None:
        stream = await connection.request(
            [(":method", "POST"), (":path", "/take"), (":scheme", "http"), (":authority", "x")]
        )
        await stream.send(b"\0\xff\xff\xff\xff")
        call = grpc.GrpcStream(stream)
        assert await call.receive() is None
        with pytest.raises(grpc.CallFailed, match="too large"):
            call.check()

    connected({"/take": take}, body)


def stat(path: str, mode: int, size: int = 0, link: str = "") -> bytes:
    found = (
        protobuf.text(1, path)
        + protobuf.integer(2, mode)
        + protobuf.integer(5, size)
        + protobuf.integer(6, 1_000_000_000_000_000_000)
        + protobuf.text(7, link)
    )
    return protobuf.message(2, found)


class Folder:
    """A client's folder: its stats in order, its contents by their numbers."""

    def __init__(self, stats: list[bytes], contents: dict[int, bytes]) -> None:
        self.stats = stats
        self.contents = contents
        self.asked: list[str] = []

    async def serve(self, call: grpc.GrpcStream) -> None:
        self.asked.append(call.metadata["dir-name"])
        for each in self.stats:
            await call.send(each)
        await call.send(b"")
        async for message in call.messages():
            packet = protobuf.Fields(message)
            if packet.integer(1) == 3:
                await call.send(protobuf.integer(1, 3))
                return
            number = packet.integer(3)
            content = self.contents[number]
            for start in range(0, len(content), 1000):
                await call.send(data(number, content[start : start + 1000]))
            await call.send(data(number, b""))


def data(number: int, content: bytes) -> bytes:
    return protobuf.integer(1, 2) + protobuf.integer(3, number) + protobuf.data(4, content)


def test_a_folder_becomes_an_archive() -> None:
    stats = [
        stat("Dockerfile", 0o644, 5),
        stat("dir", 1 << 31 | 0o755),
        stat("dir/big", 1 << 23 | 0o755, 2500),
        stat("dir/empty", 0o600),
        stat("hard", 0o755, 2500, "dir/big"),
        stat("link", 1 << 27 | 0o777, 0, "dir/big"),
        stat("socket", 1 << 24 | 0o755),
    ]
    folder = Folder(stats, {0: b"FROM\n", 2: b"b" * 2500})

    async def body(connection: Http2Connection) -> None:
        wanted = FolderRequest(name="context", excluded=("*.log",))
        whole = b"".join([piece async for piece in folder_stream(connection, wanted)])
        with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
            found = {entry.name: entry for entry in archive}
            assert list(found) == ["Dockerfile", "dir", "dir/big", "dir/empty", "hard", "link"]
            assert archive.extractfile("dir/big").read() == b"b" * 2500
        assert found["dir/big"].mode == 0o4755
        assert found["hard"].islnk()
        assert found["link"].linkname == "dir/big"
        assert found["dir"].mtime == 1_000_000_000
        assert await read_files(connection, FolderRequest(name="other")) == {
            "Dockerfile": b"FROM\n",
            "dir/big": b"b" * 2500,
            "dir/empty": b"",
        }
        assert folder.asked == ["context", "other"]

    connected({DIFF_COPY: folder.serve}, body)


@pytest.mark.parametrize("content", [b"short", b"far too long for what was told"])
def test_a_file_that_is_not_as_long_as_told_ends_the_build(content: bytes) -> None:
    folder = Folder([stat("f", 0o644, 10)], {0: content})

    async def body(connection: Http2Connection) -> None:
        with pytest.raises(grpc.CallFailed, match="f changed while it was sent"):
            async for _ in folder_stream(connection, FolderRequest(name="context")):
                pass

    connected({DIFF_COPY: folder.serve}, body)


def test_a_session_is_what_a_build_asks() -> None:
    async def secret(call: grpc.GrpcStream) -> None:
        if protobuf.Fields(await call.receive() or b"").text(1) != "key":
            raise grpc.CallFailed(grpc.NOT_FOUND, "no such secret")
        await call.send(protobuf.data(1, b"hidden"))

    async def credentials(call: grpc.GrpcStream) -> None:
        host = protobuf.Fields(await call.receive() or b"").text(1)
        await call.send(protobuf.text(1, "user") + protobuf.text(2, f"at {host}"))

    async def body() -> None:
        ours, theirs = pipes()
        handlers = {
            "/moby.buildkit.secrets.v1.Secrets/GetSecret": secret,
            "/moby.filesync.v1.Auth/Credentials": credentials,
        }
        client = Http2Connection(theirs, grpc.serving(handlers))
        await client.begin()
        sessions = Sessions()
        running = [
            asyncio.create_task(client.run()),
            asyncio.create_task(sessions.serve("s1", ours)),
        ]
        session = await sessions.find("s1")
        assert await session.secret("key") == b"hidden"
        assert await session.secret("other") is None
        found = await session.credentials("docker.io")
        assert found is not None
        assert (found.user, found.password) == ("user", f"at registry-1.{DEFAULT_REGISTRY}")
        await ours.write(b"")
        await theirs.write(b"")
        await asyncio.gather(*running)

    asyncio.run(body())
