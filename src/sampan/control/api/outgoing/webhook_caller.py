"""Asks webhooks: a body goes there over TLS, the answer's body comes back.

A service is reached at one of its endpoints, under the name `SERVICE.NAMESPACE.svc`. Redirects
are not followed, answers are bounded, and every call has a time limit. What is asked and what an
answer means is its callers' matter.
"""

import asyncio
import ssl
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlencode, urlsplit

import msgspec

from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.outgoing.service_endpoints import (
    find_service,
    is_elsewhere,
    ready_endpoints,
    service_port,
)
from sampan.control.api.outgoing.transports import Peer, Transports
from sampan.foundation.pki.contexts import bundle_context
from sampan.foundation.wire.message import Request, Response, bounded
from sampan.kubernetes.kinds.kind import Object

MAXIMUM_ANSWER = 8 << 20
_HTTPS = 443
_OPEN_TRANSPORTS = 256
_HEADERS = {"content-type": "application/json", "accept": "application/json"}


class CallFailed(Exception):
    """The webhook gave no answer of 200; the text says why, in Kubernetes' words."""


class WebhookService(msgspec.Struct, frozen=True):
    """A service in the cluster that answers at a port and path."""

    namespace: str
    name: str
    path: str = ""
    port: int = _HTTPS


class WebhookClient(msgspec.Struct, frozen=True, rename="camel"):
    """How a webhook is reached: a `clientConfig` of configurations and custom resources."""

    url: str | None = None
    service: WebhookService | None = None
    ca_bundle: str = ""


class _Target(msgspec.Struct, frozen=True):
    base: str
    path: str
    query: tuple[tuple[str, str], ...]
    ca_bundle: str
    server_name: str | None = None


class WebhookCaller:
    """Keeps connections to the webhooks that are asked often."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._transports = Transports(_OPEN_TRANSPORTS, MAXIMUM_ANSWER)

    async def call(
        self,
        client: WebhookClient,
        body: bytes,
        *,
        seconds: float,
        query: Sequence[tuple[str, str]] = (),
    ) -> bytes:
        """The body of the answer. Raises CallFailed."""
        target = self._target(client)
        request = Request(
            method="POST",
            path=target.path,
            query=(*target.query, *query),
            headers=_HEADERS,
            body=body,
        )
        shown = f'Post "{_shown(client, request.query)}"'
        try:
            async with asyncio.timeout(seconds):
                response, answer = await self._sent(target, request)
        except TimeoutError as error:
            raise CallFailed(f"{shown}: context deadline exceeded") from error
        except (ConnectionError, ssl.SSLError) as error:
            raise CallFailed(f"{shown}: {error}") from error
        if response.status != 200:
            text = "the server could not find the requested resource"
            if response.status != 404:
                text = f"an error on the server ({response.status}) has prevented the request "
                text += "from succeeding"
            raise CallFailed(text)
        return answer

    async def _sent(self, target: _Target, request: Request) -> tuple[Response, bytes]:
        """Raises ConnectionError, ssl.SSLError."""
        peer = Peer(target.base, target.ca_bundle, target.server_name)
        transport = await self._transports.to(peer, _context(target.ca_bundle))
        try:
            response = await transport.send(request)
        except ConnectionError:
            # A connection that was kept open may have been closed by the other side just now;
            # reviews may be asked twice.
            response = await transport.send(request)
        return response, await bounded(response.body, MAXIMUM_ANSWER)

    async def close(self) -> None:
        await self._transports.close()

    def _target(self, client: WebhookClient) -> _Target:
        if client.service is not None:
            return self._service_target(client.service, client.ca_bundle)
        parts = urlsplit(client.url or "")
        if parts.scheme != "https" or not parts.hostname:
            raise CallFailed(f"the URL {client.url!r} is not served over https")
        return _Target(f"https://{parts.netloc}", parts.path or "/", (), client.ca_bundle)

    def _service_target(self, service: WebhookService, ca_bundle: str) -> _Target:
        found = find_service(self._cache, service.namespace, service.name)
        if found is None:
            raise CallFailed(f'service "{service.name}" not found')
        spec: Object = found.get("spec") or {}
        port = service_port(found, service.port)
        if port is None:
            raise CallFailed(f'no service port {service.port} found for service "{service.name}"')
        path, _, _ = service.path.partition("?")
        name = f"{service.name}.{service.namespace}.svc"
        if is_elsewhere(found):
            host = spec.get("externalName", "")
            return _Target(f"https://{host}:{service.port}", path or "/", (), ca_bundle, name)
        host, number = self._endpoint(service, port.get("name", ""))
        shown = f"[{host}]" if ":" in host else host
        return _Target(f"https://{shown}:{number}", path or "/", (), ca_bundle, name)

    def _endpoint(self, service: WebhookService, port_name: str) -> tuple[str, int]:
        """A ready endpoint's address and port. Raises CallFailed."""
        endpoints = ready_endpoints(self._cache, service.namespace, service.name, port_name)
        endpoint = next(endpoints, None)
        if endpoint is not None:
            return endpoint.address, endpoint.port
        raise CallFailed(f'no endpoints available for service "{service.name}"')


def _shown(client: WebhookClient, query: Sequence[tuple[str, str]]) -> str:
    service = client.service
    tail = f"?{urlencode(query)}" if query else ""
    if service is None:
        return f"{client.url}{tail}"
    host = f"{service.name}.{service.namespace}.svc:{service.port}"
    return f"https://{host}{service.path}{tail}"


@lru_cache(maxsize=_OPEN_TRANSPORTS)
def _context(ca_bundle: str) -> ssl.SSLContext:
    """Trusts the bundle, or what the system trusts without one. Raises CallFailed."""
    try:
        return bundle_context(ca_bundle)
    except ValueError as error:
        raise CallFailed(str(error)) from error
