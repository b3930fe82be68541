"""One side of a SPDY/3.1 connection: the streams that the peer opens, or that are opened here.

Theory: `run` reads frames and gives them to their streams. A stream takes in a small measure;
while its reader is behind, nothing more is read from the connection, which is all the flow
control that peers know (frames.py). Nothing is known here of what streams are for.
"""

import asyncio
from collections.abc import Callable

from sampan.foundation.wire.inflow import Inflow
from sampan.foundation.wire.message import ByteStream
from sampan.foundation.wire.spdy import frames
from sampan.foundation.wire.spdy.header_block import HeaderWriter
from sampan.foundation.wire.spdy.violation import ProtocolViolation

MOST_STREAMS = 1024
_PIECE = 32 * 1024
_REFUSED = 3


class Stream:
    """Bytes both ways, and the headers that it was opened with. It is a ByteStream."""

    def __init__(self, session: "Session", number: int, headers: dict[str, str]) -> None:
        self.number = number
        self.headers = headers
        self._session = session
        self._gate = _Gate()
        self._inflow = Inflow(self._gate)
        self._is_closed = False
        self._is_finished = False
        self.read = self._inflow.read

    async def write(self, data: bytes) -> None:
        """Waits while the peer is slow. Raises ConnectionError."""
        if self._is_closed:
            raise ConnectionResetError("the stream is closed")
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            await self._session.send(frames.data(self.number, piece))

    async def close(self) -> None:
        """Say that nothing more comes; what the peer sends can still be read.

        Raises ConnectionError.
        """
        if not self._is_closed:
            self._is_closed = True
            if self._is_finished:
                self._session.forget(self.number)
            await self._session.send(frames.data(self.number, b"", is_last=True))

    async def end(self) -> None:
        """The same, and nobody reads on: what the peer still sends is dropped."""
        self._session.forget(self.number)
        self.fail(ConnectionResetError("the stream was ended"))
        await self.close()

    # What the session says.

    async def take(self, data: bytes, *, is_last: bool) -> None:
        """Returns once there is room for more."""
        self._inflow.feed(data)
        if is_last:
            self._is_finished = True
            self._inflow.finish()
            if self._is_closed:
                self._session.forget(self.number)
        await self._gate.open.wait()

    def fail(self, error: ConnectionError) -> None:
        self._inflow.fail(error)
        self._gate.open.set()


class _Gate:
    """What pauses and resumes the reading of one stream."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    def pause_reading(self) -> None:
        self.open.clear()

    def resume_reading(self) -> None:
        self.open.set()


class Session:
    """`opened` is called for each stream that the peer opens, after it was accepted.

    The side that began the connection opens odd streams, the other one even ones.
    """

    def __init__(
        self,
        connection: ByteStream,
        opened: Callable[[Stream], None] = lambda _: None,
        *,
        is_client: bool = False,
    ) -> None:
        self._connection = connection
        self._opened = opened
        self._next = 1 if is_client else 2
        self._headers = HeaderWriter()
        self._streams: dict[int, Stream] = {}
        self._last = 0
        self._sending = asyncio.Lock()

    async def run(self) -> None:
        """Until the peer has said all. Raises ConnectionError when it breaks off or misbehaves."""
        reader = frames.FrameReader()
        try:
            while data := await self._connection.read():
                for frame in reader.feed(data):
                    await self._take(frame)
        finally:
            for stream in self._streams.values():
                stream.fail(ConnectionResetError("the connection has ended"))

    async def open(self, headers: dict[str, str]) -> Stream:
        """A new stream. Raises ConnectionError."""
        stream = Stream(self, self._next, headers)
        self._streams[stream.number] = stream
        self._next += 2
        await self.send(frames.opening(stream.number, self._headers.block(headers)))
        return stream

    async def close(self) -> None:
        """Tell the peer that this is the end; the connection is the caller's to close."""
        await self.send(frames.farewell(self._last))

    async def send(self, frame: bytes) -> None:
        """Frames go out in the order of the calls. Raises ConnectionError."""
        async with self._sending:
            await self._connection.write(frame)

    def forget(self, number: int) -> None:
        self._streams.pop(number, None)

    async def _take(self, frame: frames.Frame) -> None:
        match frame:
            case frames.Data():
                stream = self._streams.get(frame.stream)
                if stream is not None:
                    await stream.take(frame.data, is_last=frame.is_last)
            case frames.Opened():
                await self._accept(frame)
            case frames.Accepted() | frames.MoreHeaders():
                stream = self._streams.get(frame.stream)
                if stream is not None and frame.is_last:
                    await stream.take(b"", is_last=True)
            case frames.Reset():
                stream = self._streams.pop(frame.stream, None)
                if stream is not None:
                    stream.fail(ConnectionResetError("the peer ended the stream"))
            case frames.Ping():
                # The peer's own have the parity of its streams.
                if frame.identifier % 2 != self._next % 2:
                    await self.send(frames.ping(frame.identifier))
            case frames.GoAway():
                return

    async def _accept(self, frame: frames.Opened) -> None:
        if frame.stream <= self._last or frame.stream % 2 == self._next % 2:
            raise ProtocolViolation(f"stream {frame.stream} can't be opened")
        self._last = frame.stream
        if len(self._streams) >= MOST_STREAMS:
            await self.send(frames.reset(frame.stream, _REFUSED))
            return
        stream = Stream(self, frame.stream, frame.headers)
        self._streams[frame.stream] = stream
        await self.send(frames.acceptance(frame.stream, self._headers.block({})))
        if frame.is_last:
            await stream.take(b"", is_last=True)
        self._opened(stream)
