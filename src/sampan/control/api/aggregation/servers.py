"""How the server of an APIService is reached: an endpoint, over TLS, as the front proxy.

The server learns from headers who asks; it believes them because of the certificate that is
shown to it (kubernetes.io, "Configure the aggregation layer").
"""

import asyncio
import ssl
from functools import lru_cache
from random import Random
from socket import SOCK_STREAM
from urllib.parse import quote

from sampan.control.api.aggregation.api_services import ApiService, ServiceReference
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.outgoing.service_endpoints import (
    find_service,
    is_elsewhere,
    ready_endpoints,
    service_port,
)
from sampan.control.api.proxies.target_name import is_proxyable
from sampan.foundation.pki.contexts import KeyPairPaths, bundle_context
from sampan.foundation.wire.http_exchange import Origin
from sampan.foundation.wire.message import Identity

RESOLUTION_SECONDS = 5.0
_CONTEXTS = 64
# What an HTTP header's name may be made of, without the escape itself (RFC 9110, section 5.6.2).
_UNESCAPED = "!#$&'*+-.^_`|~"


class Unreachable(Exception):
    """There is no way to the server; the text says why."""


class Servers:
    """`client` is the front proxy's certificate; without it servers see none."""

    def __init__(self, cache: WatchCache, client: KeyPairPaths | None, random: Random) -> None:
        self._cache = cache
        self._random = random
        self._context = lru_cache(maxsize=_CONTEXTS)(
            lambda bundle, skips: _context(client, bundle, skips=skips)
        )

    async def origins(self, service: ApiService) -> list[Origin]:
        """All of its endpoints, or the addresses of its external name, in random order.

        Raises Unreachable.
        """
        reference = service.spec.service
        assert reference is not None
        spec = service.spec
        context = self._context(spec.ca_bundle, spec.skips_verification)
        origins = [
            Origin(host, number, context, reference.server_name)
            for host, number in await self._addresses(reference)
            if is_proxyable(host)
        ]
        self._random.shuffle(origins)
        if not origins:
            raise Unreachable("no endpoints available")
        return origins

    async def _addresses(self, reference: ServiceReference) -> list[tuple[str, int]]:
        found = find_service(self._cache, reference.namespace, reference.name)
        if found is not None and is_elsewhere(found):
            name = str(found["spec"].get("externalName", ""))
            return [(host, reference.port) for host in await _resolved(name)]
        port = None if found is None else service_port(found, reference.port)
        if port is None:
            raise Unreachable("the service or its port is not present")
        name = port.get("name", "")
        endpoints = ready_endpoints(self._cache, reference.namespace, reference.name, name)
        return [(it.address, it.port) for it in endpoints]


async def _resolved(name: str) -> list[str]:
    """The addresses of a host outside. They are looked up before each request: what a name led to
    at an earlier time says nothing of where it leads now. Raises Unreachable."""
    try:
        async with asyncio.timeout(RESOLUTION_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise Unreachable(f"the host {name} can't be found") from error
    return list(dict.fromkeys(str(it[4][0]) for it in found))


def identity_headers(identity: Identity) -> list[tuple[str, str]]:
    """Who asks (k8s.io/client-go `transport.SetAuthProxyHeaders`)."""
    headers = [("X-Remote-User", identity.name)]
    if identity.uid:
        headers.append(("X-Remote-Uid", identity.uid))
    headers += [("X-Remote-Group", group) for group in identity.groups]
    for key, values in identity.extra.items():
        name = f"X-Remote-Extra-{quote(key.lower(), safe=_UNESCAPED)}"
        headers += [(name, value) for value in values]
    return headers


def _context(client: KeyPairPaths | None, ca_bundle: str, *, skips: bool) -> ssl.SSLContext:
    """Raises Unreachable for a bundle that holds no certificates."""
    try:
        context = bundle_context(ca_bundle)
    except ValueError as error:
        raise Unreachable(str(error)) from error
    if skips:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if client is not None:
        context.load_cert_chain(client.certificate, client.key)
    return context
