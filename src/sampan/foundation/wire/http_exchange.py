"""One HTTP/1.1 request on a connection of its own, for those who pass requests on.

Every header goes out and comes back as it is, bodies stream both ways at the pace of the slower
side, and a server that switches protocols gets a tunnel. It must not know what is passed on.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote, urlencode

import httptools
import msgspec

from sampan.foundation.wire.http_answer import LAST_CHUNK, chunk
from sampan.foundation.wire.keep_alive import watch_over

CONNECT_SECONDS = 5.0
READ_BYTES = 64 * 1024
MAXIMUM_HEADER_BYTES = 64 * 1024
SWITCHING_PROTOCOLS = 101
_WITHOUT_LENGTH = ("GET", "HEAD", "DELETE", "OPTIONS")

Headers = Sequence[tuple[str, str]]


class Origin(msgspec.Struct, frozen=True):
    """Who is asked. `context` None is plain HTTP; `server_name` is the name that the certificate
    must have, where that is not the host."""

    host: str
    port: int
    context: ssl.SSLContext | None = None
    server_name: str = ""

    @property
    def authority(self) -> str:
        """Host and port, as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Outgoing(msgspec.Struct, frozen=True):
    """What is asked. `path` is decoded; `body` None is none."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Headers = ()
    body: AsyncIterator[bytes] | None = None

    @property
    def target(self) -> str:
        tail = f"?{urlencode(self.query)}" if self.query else ""
        return quote(self.path, safe="/:@!$&'()*+,;=~") + tail


class Exchange:
    """The answer to one request: `status` and `headers`, then either `pieces` or, after 101,
    `read` and `write`. Whoever has it closes it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self._reader = reader
        self._writer = writer
        self._parser = httptools.HttpResponseParser(self)
        self._header_bytes = 0
        self._header_complete = self._complete = self._lengthless = False
        self._bodyless = False
        self._body: list[bytes] = []
        self._rest = b""
        self._sending: asyncio.Task[None] | None = None

    async def begin(self, outgoing: Outgoing) -> None:
        """Send the request and read the answer's header. Raises ConnectionError."""
        self._bodyless = outgoing.method == "HEAD"
        sized = any(name.lower() == "content-length" for name, _ in outgoing.headers)
        self._writer.write(_head(outgoing, sized=sized))
        if outgoing.body is not None:
            self._sending = asyncio.create_task(self._send(outgoing.body, sized=sized))
        while not self._header_complete:
            await self._more()
        if self._bodyless:
            self._complete = True

    async def pieces(self) -> AsyncIterator[bytes]:
        """The answer's body as it comes. Raises ConnectionError when it breaks off."""
        while True:
            taken, self._body = self._body, []
            for piece in taken:
                yield piece
            if self._complete:
                return
            await self._more()

    async def read(self) -> bytes:
        """The next bytes after 101; empty at the end. Raises ConnectionError."""
        rest, self._rest = self._rest, b""
        try:
            return rest or await self._reader.read(READ_BYTES)
        except OSError as error:
            raise ConnectionError(str(error)) from error

    async def write(self, data: bytes) -> None:
        """Raises ConnectionError."""
        self._writer.write(data)
        try:
            await self._writer.drain()
        except OSError as error:
            raise ConnectionError(str(error)) from error

    async def aclose(self) -> None:
        """End the connection, and what is still being sent on it."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        self._writer.close()

    async def _send(self, body: AsyncIterator[bytes], *, sized: bool) -> None:
        try:
            async for piece in body:
                if not await self._sent(piece if sized else chunk(piece)):
                    return
        except ConnectionError:
            # Who sent the body has gone, and nobody waits for the answer.
            self._writer.close()
            return
        if not sized:
            await self._sent(LAST_CHUNK)

    async def _sent(self, data: bytes) -> bool:
        """A server may answer without having read everything: the reader sees what it said."""
        try:
            await self.write(data)
        except ConnectionError:
            return False
        return True

    async def _more(self) -> None:
        """Read once and parse. Raises ConnectionError."""
        try:
            data = await self._reader.read(READ_BYTES)
        except OSError as error:
            raise ConnectionError(str(error)) from error
        if not data:
            if not self._header_complete or not self._lengthless:
                raise ConnectionError("EOF")
            self._complete = True
            return
        if not self._header_complete:
            self._header_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._rest = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            raise ConnectionError(f"malformed HTTP response: {error}") from error
        if not self._header_complete and self._header_bytes > MAXIMUM_HEADER_BYTES:
            raise ConnectionError("the header of the answer is too large")

    # What the parser says.

    def on_message_begin(self) -> None:
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 and status != SWITCHING_PROTOCOLS:
            return
        self.status = status
        self._header_complete = True
        names = {name.lower() for name, _ in self.headers}
        self._lengthless = not names & {"content-length", "transfer-encoding"}

    def on_body(self, data: bytes) -> None:
        if not self._bodyless:
            self._body.append(data)

    def on_message_complete(self) -> None:
        if self._header_complete:
            self._complete = True


async def exchange(origin: Origin, outgoing: Outgoing) -> Exchange:
    """Ask, and wait for the answer's header: as long as it takes.

    Raises ConnectionError when nobody answers, ssl.SSLError when the certificate isn't right.
    """
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(
                origin.host,
                origin.port,
                ssl=origin.context,
                server_hostname=(origin.server_name or origin.host) if origin.context else None,
                limit=READ_BYTES,
            )
    except ssl.SSLError:
        raise
    except TimeoutError as error:
        raise ConnectionError(f"dial tcp {origin.authority}: i/o timeout") from error
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise ConnectionError(f"dial tcp {origin.authority}: connect: {reason}") from error
    watch_over(writer.get_extra_info("socket"))
    made = Exchange(reader, writer)
    try:
        await made.begin(outgoing)
    except BaseException:
        await made.aclose()
        raise
    return made


def _head(outgoing: Outgoing, *, sized: bool) -> bytes:
    lines = [f"{outgoing.method} {outgoing.target} HTTP/1.1"]
    for name, value in outgoing.headers:
        lines.append(f"{name}: {value.replace(chr(13), ' ').replace(chr(10), ' ')}")
    if outgoing.body is not None and not sized:
        lines.append("Transfer-Encoding: chunked")
    elif outgoing.body is None and not sized and outgoing.method not in _WITHOUT_LENGTH:
        lines.append("Content-Length: 0")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
