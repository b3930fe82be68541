"""Requests to another process over HTTPS: a `Transport`, and WebSockets to the same server.

All of aiohttp's client side that Sampan uses is behind this module. It must not know what
the requests mean; it neither retries nor interprets status codes.
"""

import asyncio
import io
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from sampan.foundation.wire.keep_alive import watch_over
from sampan.foundation.wire.message import HandshakeRefused, Request, Response, WebSocket
from sampan.foundation.wire.web_socket import AcceptedWebSocket

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
IDLE_STREAM_SECONDS = 4 * 3600.0
WEB_SOCKET_MESSAGE_BYTES = 1024 * 1024
MAXIMUM_WHOLE_BODY = 512 * 1024 * 1024


class HttpsTransport:
    """Sends requests to `base_url` with `headers` added to each (an Authorization, say).

    `server_name` is the name that the server's certificate must have, where that is not the
    host of `base_url`. No answer that comes whole is longer than `largest_body`.
    """

    def __init__(
        self,
        base_url: str,
        context: ssl.SSLContext | None,
        headers: Mapping[str, str] | None = None,
        *,
        server_name: str | None = None,
        largest_body: int = MAXIMUM_WHOLE_BODY,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._context = context
        self._server_name = server_name
        self._largest_body = largest_body
        self._headers = {"Accept-Encoding": "identity", **(headers or {})}
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Response:
        """An answer whose length is known comes whole; any other as a stream to iterate.

        Raises ConnectionError when the server can't be reached or doesn't answer in time.
        """
        try:
            body = await request.read_body()
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._opened().request(
                    request.method,
                    self._url(request.path, request.query),
                    headers=request.headers,
                    data=io.BytesIO(body) if body else None,
                    allow_redirects=False,
                    server_hostname=self._server_name,
                )
            headers = {name.lower(): value for name, value in answer.headers.items()}
            if "content-length" not in headers and answer.status not in (204, 304):
                return Response(status=answer.status, headers=headers, body=_Stream(answer))
            if int(headers.get("content-length", "0")) > self._largest_body:
                answer.close()
                raise ConnectionError(f"{self._base} answered with too large a body")
            async with asyncio.timeout(ANSWER_SECONDS):
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _raise_connection_error(self._base, error)
        return Response(status=answer.status, headers=headers, body=body)

    async def connect(
        self,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
    ) -> WebSocket:
        """Open a WebSocket. Raises HandshakeRefused, or ConnectionError when nobody answers."""
        try:
            socket = await self._opened().ws_connect(
                self._url(path, query),
                protocols=tuple(subprotocols),
                max_msg_size=WEB_SOCKET_MESSAGE_BYTES,
                heartbeat=30.0,
            )
        except aiohttp.WSServerHandshakeError as error:
            raise HandshakeRefused(error.status, error.message) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _raise_connection_error(self._base, error)
        return AcceptedWebSocket(socket)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        """The session, made on first use because it belongs to the running loop."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=self._context if self._context is not None else True,
                limit=0,
                keepalive_timeout=60,
                socket_factory=_socket,
                use_dns_cache=False,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=CONNECT_SECONDS, sock_read=IDLE_STREAM_SECONDS
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                # Nothing compressed was asked for, and a little of it could fill the memory.
                auto_decompress=False,
                max_line_size=64 * 1024,
                read_bufsize=256 * 1024,
            )
        return self._session

    def _url(self, path: str, query: Sequence[tuple[str, str]]) -> URL:
        tail = f"?{urlencode(query)}" if query else ""
        return URL(f"{self._base}{quote(path)}{tail}", encoded=True)


class _Stream(AsyncIterator[bytes]):
    """The pieces of an answer as they arrive; `aclose` lets go of the connection."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __anext__(self) -> bytes:
        try:
            piece = await self._answer.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _raise_connection_error("the server", error)
        if not piece:
            self._answer.release()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        self._answer.close()


def _socket(
    address: tuple[int, int, int, str, tuple[Any, ...]],
) -> socket.socket:
    """A socket of which the kernel tells when the other side has vanished."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    watch_over(made)
    return made


def _raise_connection_error(server: str, error: BaseException) -> NoReturn:
    raise ConnectionError(f"{server} does not answer: {error or type(error).__name__}") from error
