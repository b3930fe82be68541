"""HTTP/2 on a connection that is there already, from either side of it.

The protocol itself is the library h2's; here its events meet the event loop. What is said on the
streams is not known here. A stream holds at most its window of bytes that nobody has read.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from sampan.foundation.wire.message import ByteStream

_STREAM_WINDOW = 1 << 20
_CONNECTION_WINDOW = 16 << 20
_STREAMS = 100

Headers = Iterable[tuple[str, str]]


class Http2Stream:
    """One exchange; `headers` are the peer's, `trailers` come at the end of what it sends."""

    def __init__(self, connection: "Http2Connection", identifier: int) -> None:
        self._connection = connection
        self.identifier = identifier
        self.headers: dict[str, str] = {}
        self.trailers: dict[str, str] = {}
        self._pieces: deque[tuple[bytes, int]] = deque()
        self._ended = False
        self._failure: ConnectionError | None = None
        self._news = asyncio.Event()

    async def read(self) -> bytes:
        """The next piece, b"" at the end. Raises ConnectionError."""
        while not self._pieces:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return b""
            self._news.clear()
            await self._news.wait()
        piece, counted = self._pieces.popleft()
        await self._connection.acknowledge(self.identifier, counted)
        return piece

    async def send_headers(self, headers: Headers, *, end: bool = False) -> None:
        """Also the trailers. Raises ConnectionError."""
        await self._connection.send_headers(self.identifier, headers, end=end)

    async def send(self, content: bytes, *, end: bool = False) -> None:
        """Waits while the peer does not read. Raises ConnectionError."""
        await self._connection.send_data(self, content, end=end)

    async def cancel(self) -> None:
        """Nothing more is wanted of it."""
        await self._connection.reset(self.identifier)

    def feed(self, piece: bytes, counted: int) -> None:
        self._pieces.append((piece, counted))
        self._news.set()

    def take_headers(self, headers: Iterable[tuple[Any, Any]]) -> None:
        # The library is told to decode them; its types speak of bytes, too.
        found = {str(name): str(value) for name, value in headers}
        (self.trailers if self.headers else self.headers).update(found)
        self._news.set()

    def finish(self) -> None:
        self._ended = True
        self._news.set()

    def fail(self, error: ConnectionError) -> None:
        self._failure = error
        self._news.set()

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


Serve = Callable[[Http2Stream], Awaitable[None]]


class Http2Connection:
    """`serve` answers the peer's requests; without it we are the client."""

    def __init__(self, peer: ByteStream, serve: Serve | None = None) -> None:
        self._peer = peer
        self._serve = serve
        config = h2.config.H2Configuration(client_side=serve is None, header_encoding="utf-8")
        self._protocol = h2.connection.H2Connection(config)
        self._streams: dict[int, Http2Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._window = asyncio.Event()
        self.ended = asyncio.Event()

    async def begin(self) -> None:
        """Say hello. Raises ConnectionError."""
        # They are part of the hello itself.
        self._protocol.local_settings = h2.settings.Settings(
            client=self._serve is None,
            initial_values={
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS,
            },
        )
        self._protocol.initiate_connection()
        self._protocol.increment_flow_control_window(_CONNECTION_WINDOW)
        await self._flush()

    async def run(self) -> None:
        """Until the peer leaves."""
        try:
            while received := await self._peer.read():
                for event in self._protocol.receive_data(received):
                    if isinstance(event, h2.events.ConnectionTerminated):
                        return
                    self._take(event)
                await self._flush()
        except (ConnectionError, h2.exceptions.ProtocolError):
            return
        finally:
            await self._end()

    async def _end(self) -> None:
        self.ended.set()
        self._window.set()
        for stream in self._streams.values():
            stream.fail(ConnectionResetError("the peer went away"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived():
                self._begin_serving(event)
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                stream = self._streams.get(event.stream_id)
                if stream is not None:
                    stream.take_headers(event.headers)
            case h2.events.DataReceived():
                stream = self._streams.get(event.stream_id)
                if stream is not None:
                    stream.feed(event.data, event.flow_controlled_length)
            case h2.events.StreamEnded():
                stream = self._streams.get(event.stream_id)
                if stream is not None:
                    stream.finish()
            case h2.events.StreamReset():
                stream = self._streams.pop(event.stream_id, None)
                if stream is not None:
                    stream.fail(ConnectionResetError("the peer gave the exchange up"))
                self._window.set()
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                self._window.set()

    def _begin_serving(self, event: h2.events.RequestReceived) -> None:
        assert self._serve is not None
        stream = Http2Stream(self, event.stream_id)
        stream.take_headers(event.headers)
        self._streams[event.stream_id] = stream
        task = asyncio.get_running_loop().create_task(self._served(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _served(self, stream: Http2Stream) -> None:
        assert self._serve is not None
        try:
            await self._serve(stream)
        except ConnectionError:
            return
        finally:
            self._streams.pop(stream.identifier, None)

    async def request(self, headers: Headers) -> Http2Stream:
        """A new exchange, we being the client. Raises ConnectionError."""
        if self.ended.is_set():
            raise ConnectionResetError("the peer went away")
        stream = Http2Stream(self, self._protocol.get_next_available_stream_id())
        self._streams[stream.identifier] = stream
        await self.send_headers(stream.identifier, headers, end=False)
        return stream

    async def send_headers(self, identifier: int, headers: Headers, *, end: bool) -> None:
        try:
            self._protocol.send_headers(identifier, list(headers), end_stream=end)
        except h2.exceptions.ProtocolError as error:
            raise ConnectionResetError(str(error)) from error
        await self._flush()

    async def send_data(self, stream: Http2Stream, content: bytes, *, end: bool) -> None:
        view = memoryview(content)
        while view or end:
            stream.raise_failure()
            if self.ended.is_set():
                raise ConnectionResetError("the peer went away")
            try:
                room = min(
                    self._protocol.local_flow_control_window(stream.identifier),
                    self._protocol.max_outbound_frame_size,
                )
                if room <= 0 and view:
                    self._window.clear()
                    await self._window.wait()
                    continue
                piece, view = view[:room], view[room:]
                is_last = end and not view
                self._protocol.send_data(stream.identifier, bytes(piece), end_stream=is_last)
            except h2.exceptions.ProtocolError as error:
                raise ConnectionResetError(str(error)) from error
            await self._flush()
            if is_last:
                return

    async def acknowledge(self, identifier: int, counted: int) -> None:
        if counted and not self.ended.is_set():
            try:
                self._protocol.acknowledge_received_data(counted, identifier)
            except h2.exceptions.ProtocolError as error:
                raise ConnectionResetError(str(error)) from error
            await self._flush()

    async def reset(self, identifier: int) -> None:
        self._streams.pop(identifier, None)
        try:
            self._protocol.reset_stream(identifier, h2.errors.ErrorCodes.CANCEL)
        except h2.exceptions.ProtocolError:
            return  # it has ended meanwhile
        await self._flush()

    async def _flush(self) -> None:
        # The order of bytes is that of the calls: nothing is awaited in between.
        waiting = self._protocol.data_to_send()
        if waiting:
            await self._peer.write(waiting)
