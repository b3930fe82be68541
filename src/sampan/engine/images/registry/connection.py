"""Asking one registry about one repository: addresses tried, challenges met, redirects followed.

What is asked for is not known here. Secrets go to the registry's own address only: an answer
that leads elsewhere is followed without them.
"""

import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from sampan.engine.images.contract import Credentials
from sampan.engine.images.registry.authorization import Authorization
from sampan.engine.images.registry.refusals import RegistryUnreachable, refusal_of
from sampan.engine.images.registry.settings import Endpoint

_REDIRECTS = (301, 302, 303, 307, 308)
_REDIRECT_LIMIT = 5
_REFUSAL_LIMIT = 64 * 1024
_CONNECT_TIMEOUT = 20.0
_SILENCE_TIMEOUT = 60.0
_READ_BUFFER = 1 << 20
_AGENT = "sampan"

Body = Callable[[], Any]


class RegistryConnection:
    """Use `opened`. `repository` is without the registry's name, "" for none in particular."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoint: Endpoint,
        repository: str,
        authorization: Authorization,
    ) -> None:
        self._session = session
        self._repository = repository
        self._authorization = authorization
        self._ssl = _ssl_context(endpoint)
        self.endpoint = endpoint

    @property
    def identity_token(self) -> str:
        """What the token service gave for later, if it was asked to."""
        return self._authorization.identity_token

    def url(self, path: str) -> str:
        """Of something in the repository: `manifests/latest`."""
        return f"{self.endpoint.url}/v2/{self._repository}/{path}"

    async def ping(self) -> None:
        """Learn whether a registry answers and what it asks of us. Raises as `request`."""
        async with self.request("GET", f"{self.endpoint.url}/v2/"):
            return

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        expected: Iterable[int] = (200,),
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask, with a body that `body` makes anew for each try.

        Raises RegistryRefusal for a status that isn't expected, aiohttp.ClientError,
        TimeoutError, Forbidden.
        """
        response = await self._authorized(method, url, headers or {}, body)
        try:
            if response.status not in expected:
                told = await response.content.read(_REFUSAL_LIMIT)
                raise refusal_of(response.status, told, f'{method.capitalize()} "{url}"')
            yield response
        finally:
            response.close()

    async def _authorized(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None
    ) -> aiohttp.ClientResponse:
        response = await self._followed(method, url, headers, body)
        if response.status != 401:
            return response
        challenges = response.headers.getall("WWW-Authenticate", [])
        try:
            met = await self._authorization.meet(challenges, self.endpoint.url)
        except BaseException:
            response.close()
            raise
        if not met:
            return response
        response.close()
        return await self._followed(method, url, headers, body)

    async def _followed(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None
    ) -> aiohttp.ClientResponse:
        for _ in range(_REDIRECT_LIMIT):
            response = await self._once(method, url, headers, body)
            location = response.headers.get("Location", "")
            if method not in ("GET", "HEAD") or response.status not in _REDIRECTS or not location:
                return response
            response.close()
            following = urljoin(url, location)
            if urlsplit(url).scheme == "https" != urlsplit(following).scheme:
                raise RegistryUnreachable(f"{_origin(url)} leads to an address that is not secure")
            url = following
        raise RegistryUnreachable(f"{self.endpoint.url} leads from one address to the next")

    async def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None
    ) -> aiohttp.ClientResponse:
        is_registry = _origin(url) == _origin(self.endpoint.url)
        sent = dict(headers)
        if is_registry and self._authorization.header:
            sent["Authorization"] = self._authorization.header
        return await self._session.request(
            method,
            url,
            headers=sent,
            data=body() if body is not None else None,
            allow_redirects=False,
            ssl=self._ssl if is_registry else True,
        )


@asynccontextmanager
async def opened(
    candidates: Iterable[Endpoint],
    repository: str,
    scopes: Sequence[str],
    credentials: Credentials | None,
    *,
    wants_identity: bool = False,
) -> AsyncIterator[RegistryConnection]:
    """The first of several addresses at which a registry answers.

    Mirrors are told no credentials. Raises RegistryUnreachable, RegistryRefusal, Forbidden.
    """
    async with _session() as session:
        trouble: Exception | None = None
        for endpoint in candidates:
            told = None if endpoint.is_mirror else credentials
            authorization = Authorization(session, scopes, told, wants_identity=wants_identity)
            connection = RegistryConnection(session, endpoint, repository, authorization)
            try:
                await connection.ping()
            except (aiohttp.ClientError, TimeoutError) as error:
                trouble = RegistryUnreachable(f'Get "{endpoint.url}/v2/": {_reason(error)}')
                continue
            yield connection
            return
        raise trouble or RegistryUnreachable("the registry has no address")


def _session() -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=_CONNECT_TIMEOUT, sock_read=_SILENCE_TIMEOUT
    )
    return aiohttp.ClientSession(
        timeout=timeout,
        auto_decompress=False,
        read_bufsize=_READ_BUFFER,
        headers={"User-Agent": _AGENT, "Accept-Encoding": "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=True,
    )


def _ssl_context(endpoint: Endpoint) -> ssl.SSLContext | bool:
    if not endpoint.verify:
        return False
    return ssl.create_default_context(cafile=endpoint.authority) if endpoint.authority else True


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _reason(error: BaseException) -> str:
    """In the words that Docker has for it, where the system has refused."""
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        if isinstance(cause, socket.gaierror):
            return f"dial tcp: lookup {error.host}: {(cause.strerror or '').lower()}"
        if cause.errno:
            why = os.strerror(cause.errno).lower()
            return f"dial tcp {error.host}:{error.port}: connect: {why}"
    return str(error) or type(error).__name__
