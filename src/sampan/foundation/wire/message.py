"""A request and its answer, as every room of Sampan knows them.

No HTTP library's types appear here: a request that arrives by HTTPS and one that a
controller makes in the same process are the same object, and pass the same stages.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

import msgspec


class BodyTooLarge(Exception):
    """The body of a request is longer than its receiver takes."""

    def __init__(self, maximum: int) -> None:
        super().__init__(f"request body is larger than {maximum} bytes")
        self.maximum = maximum


class HandshakeRefused(ConnectionError):
    """The server answered the upgrade to a WebSocket with an ordinary response."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the server refused the WebSocket with {status}: {message}")
        self.status = status


class Identity(msgspec.Struct, frozen=True):
    """Who makes a request: a user's or component's name, its groups and extra attributes."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: dict[str, tuple[str, ...]] = {}


class WebSocket(Protocol):
    """One accepted WebSocket, message by message."""

    subprotocol: str | None

    async def receive(self) -> bytes | None:
        """The next message (text is encoded as UTF-8), or None when the peer closed."""

    async def send(self, message: bytes) -> None:
        """Send one binary message; waits while the peer's buffer is full."""

    async def send_text(self, message: bytes) -> None:
        """The same as a text message, of UTF-8."""

    async def close(self, code: int = 1000, reason: str = "") -> None: ...


class ByteStream(Protocol):
    """A connection that has been upgraded: bytes both ways, whatever they mean."""

    async def read(self) -> bytes:
        """The next bytes, empty when the peer has said all. Raises ConnectionError."""

    async def write(self, data: bytes) -> None:
        """Waits while the peer is slow. Raises ConnectionError."""


class Request(msgspec.Struct, kw_only=True):
    """One request.

    `path` is percent-decoded, `query` keeps order and repetition, header names are lower-case.
    `deadline` is in the event loop's time, None for none. `peer_subject` is the subject of the
    client certificate that TLS verified: (("commonName", "x"), ("organizationName", "g"), …),
    `peer_fingerprint` its SHA-256 in hexadecimal;
    `peer_address` is where it comes from, empty in the same process.

    A body that is still on the wire is behind `body_source`, so that nobody's bytes are taken
    in before the request is authorized: use `read_body`, which works for both, or `pieces` for
    one that is passed on as it comes.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = {}
    body: bytes = b""
    identity: Identity | None = None
    deadline: float | None = None
    wants_websocket: bool = False
    peer_subject: tuple[tuple[str, str], ...] = ()
    peer_fingerprint: str = ""
    peer_address: str = ""
    body_source: Callable[[], Awaitable[bytes]] | None = None
    body_flow: Callable[[], AsyncIterator[bytes]] | None = None

    async def read_body(self) -> bytes:
        """The whole body, read from the wire once. Raises BodyTooLarge, ConnectionError."""
        if self.body_source is not None:
            source, self.body_source = self.body_source, None
            self.body = await source()
        return self.body

    def pieces(self) -> AsyncIterator[bytes] | None:
        """The body piece by piece, of any length, at the reader's pace; None for an empty one.

        In place of `read_body`; both raise ConnectionError when the client goes away.
        """
        if self.body_flow is not None:
            self.body_source = None
            return self.body_flow()
        return _one_piece(self.body) if self.body else None

    def parameter(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        for key, value in self.query:
            if key == name:
                return value
        return default

    def flag(self, name: str) -> bool:
        """Whether a query parameter is there and says neither "false" nor "0", as apimachinery
        converts parameters to booleans; clients send "True", "1" or nothing after the name."""
        return self.parameter(name, "false").lower() not in ("false", "0")


async def _one_piece(body: bytes) -> AsyncIterator[bytes]:
    yield body


WebSocketHandler = Callable[[WebSocket], Awaitable[None]]
Tunnel = Callable[[ByteStream], Awaitable[None]]
Body = bytes | Sequence[bytes] | AsyncIterator[bytes]


class Response(msgspec.Struct, kw_only=True):
    """One answer. `body` is whole, in pieces (written one after another), or a stream.

    When `websocket` is set the connection is upgraded with one of `subprotocols`
    and handed to it; `status` and `body` are then not used. When `tunnel` is set, status and
    headers are sent and the connection's bytes are handed to it, whether the request had an
    Upgrade header or not, and `body` is let go after it. `cookies` are the values of
    Set-Cookie, the one header that can't be joined when it comes several times (RFC 6265,
    section 3).
    """

    status: int = 200
    headers: dict[str, str] = {}
    body: Body = b""
    websocket: WebSocketHandler | None = None
    subprotocols: tuple[str, ...] = ()
    tunnel: Tunnel | None = None
    cookies: tuple[str, ...] = ()


async def let_go(body: object) -> None:
    """End a stream that nobody reads on."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()


async def whole(body: Body) -> bytes:
    """A body as one piece of bytes, whatever form it has."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, AsyncIterator):
        return b"".join([piece async for piece in body])
    return b"".join(body)


async def bounded(body: Body, most: int) -> bytes:
    """A body of at most so many bytes as one piece. Raises ConnectionError for a longer one, of
    which no more is read."""
    if isinstance(body, AsyncIterator):
        pieces: list[bytes] = []
        size = 0
        async for piece in body:
            pieces.append(piece)
            size += len(piece)
            if size > most:
                await let_go(body)
                break
        body = pieces
    if (len(body) if isinstance(body, bytes) else sum(map(len, body))) > most:
        raise ConnectionError(f"the answer is larger than {most} bytes")
    return await whole(body)


class Transport(Protocol):
    """Takes a request to whoever answers it: in process, or over HTTPS."""

    async def send(self, request: Request) -> Response:
        """Raises ConnectionError when nobody answers. Status codes are never raised."""

    async def close(self) -> None: ...
