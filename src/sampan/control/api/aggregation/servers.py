"""How the server of an APIService is reached: an endpoint, over TLS, as the front proxy.

The server learns from headers who asks; it believes them because of the certificate that is
shown to it (kubernetes.io, "Configure the aggregation layer").
"""

import ssl
from collections.abc import Iterator
from functools import lru_cache
from random import Random
from urllib.parse import quote

from sampan.control.api.aggregation.api_services import ApiService, ServiceReference
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.outgoing.service_endpoints import (
    find_service,
    ready_endpoints,
    service_port,
)
from sampan.control.api.proxies.target_name import is_proxyable
from sampan.foundation.pki.contexts import KeyPairPaths, bundle_context
from sampan.foundation.wire.http_exchange import Origin
from sampan.foundation.wire.message import Identity

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

    def origins(self, service: ApiService) -> list[Origin]:
        """All of its endpoints, in random order. Raises Unreachable."""
        reference = service.spec.service
        assert reference is not None
        found = find_service(self._cache, reference.namespace, reference.name)
        port = None if found is None else service_port(found, reference.port)
        if port is None:
            raise Unreachable("the service or its port is not present")
        spec = service.spec
        context = self._context(spec.ca_bundle, spec.skips_verification)
        origins = [
            Origin(host, number, context, reference.server_name)
            for host, number in self._addresses(reference, port.get("name", ""))
        ]
        self._random.shuffle(origins)
        if not origins:
            raise Unreachable("no endpoints available")
        return origins

    def _addresses(self, reference: ServiceReference, port: str) -> Iterator[tuple[str, int]]:
        for it in ready_endpoints(self._cache, reference.namespace, reference.name, port):
            if is_proxyable(it.address):
                yield it.address, it.port


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
