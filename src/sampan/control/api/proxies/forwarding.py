"""A request passed on to another server, and its answer passed back as it comes.

It must not know who the server is, nor why the caller may ask it.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

from sampan.control.api.proxies.forwarded_headers import towards_client
from sampan.control.api.proxies.links import HtmlLinks, Links
from sampan.control.api.refusal import Refused
from sampan.foundation import tasks
from sampan.foundation.wire.http_exchange import (
    SWITCHING_PROTOCOLS,
    Exchange,
    Origin,
    Outgoing,
    exchange,
)
from sampan.foundation.wire.message import ByteStream, Response, Tunnel
from sampan.kubernetes.machinery import status

# As long as a server may think before it answers; streams and upgrades last as long as they do.
ANSWER_SECONDS = 600.0
_WITHOUT_BODY = (204, 304)
_CORS = frozenset(
    f"access-control-allow-{name}" for name in ("credentials", "headers", "methods", "origin")
)


async def opened(origin: Origin, outgoing: Outgoing) -> Exchange:
    """The server's answer. Raises Refused (503) when there is none."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await exchange(origin, outgoing)
    except (ConnectionError, ssl.SSLError, TimeoutError) as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        message = f"error trying to reach service: {reason}"
        raise Refused(status.service_unavailable(message)) from error
    if answer.status == SWITCHING_PROTOCOLS and not _asks_to_switch(outgoing):
        await answer.aclose()
        raise Refused(status.failure(502, "", "the backend switched protocols without being asked"))
    return answer


def _asks_to_switch(outgoing: Outgoing) -> bool:
    return any(name == "upgrade" for name, _ in outgoing.headers)


async def forwarded(origin: Origin, outgoing: Outgoing, links: Links | None = None) -> Response:
    """The server's answer for the client; with `links`, its links lead through the proxy.

    Raises Refused (503).
    """
    answer = await opened(origin, outgoing)
    response = await response_of(answer, is_head=outgoing.method == "HEAD")
    if links is not None:
        _redirect(response, answer, links)
    return response


async def response_of(answer: Exchange, *, is_head: bool) -> Response:
    """What the client gets of an answer, unchanged; the response owns it from then on."""
    switching = answer.status == SWITCHING_PROTOCOLS
    headers, cookies = towards_client(answer.headers, switching=switching)
    response = Response(status=answer.status, headers=headers, cookies=cookies)
    if answer.status in _WITHOUT_BODY and not is_head:
        headers.pop("content-length", None)
        await answer.aclose()
        return response
    response.body = _Passing(answer)
    if switching:
        response.tunnel = _tunnel(answer)
    return response


def _redirect(response: Response, answer: Exchange, links: Links) -> None:
    headers = {name: value for name, value in response.headers.items() if name not in _CORS}
    if "location" in headers:
        headers["location"] = links.rewritten(headers["location"])
    elif _is_page(headers) and response.tunnel is None:
        headers.pop("content-length", None)
        response.body = _Passing(answer, HtmlLinks(links))
    response.headers = headers


def _is_page(headers: dict[str, str]) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "text/html" and headers.get("content-encoding", "identity") == "identity"


class _Passing(AsyncIterator[bytes]):
    """A body that ends the exchange when it ends, or when nobody wants it any more."""

    def __init__(self, answer: Exchange, page: HtmlLinks | None = None) -> None:
        self._answer = answer
        self._page = page
        self._pieces = answer.pieces()

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            await self.aclose()
            rest, self._page = (self._page.rest() if self._page else b""), None
            if rest:
                return rest
            raise
        if self._page is not None:
            # Parsing is slow: the loop goes on meanwhile.
            return await asyncio.to_thread(self._page.piece, piece)
        return piece

    async def aclose(self) -> None:
        await self._answer.aclose()


def _tunnel(answer: Exchange) -> Tunnel:
    async def relay(client: ByteStream) -> None:
        """Pass bytes both ways until either side has ended."""
        try:
            await tasks.until_first_ends(_pump(client, answer), _pump(answer, client))
        finally:
            await answer.aclose()

    return relay


async def _pump(source: ByteStream, target: ByteStream) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read():
            await target.write(data)
