"""Asks the server of an APIService what it serves: check and discovery in one.

What it says is put into the versions; whether it may be asked follows from the cache.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from functools import partial

import msgspec

from sampan.control.api.aggregation.api_services import ApiService
from sampan.control.api.aggregation.merged_swagger import part_of
from sampan.control.api.aggregation.reachability import (
    LOCAL,
    PASSED,
    Availability,
    failed,
    problem,
)
from sampan.control.api.aggregation.remote_versions import OpenApi, RemoteVersions, openapi_of
from sampan.control.api.aggregation.requests import Answer, asked
from sampan.control.api.aggregation.servers import Servers, Unreachable
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.outgoing.service_endpoints import find_service, slices_of
from sampan.foundation.wire.http_exchange import Origin
from sampan.kubernetes.kinds.kind import Object

CHECK_SECONDS = 5.0
_ATTEMPTS = 5
_OK = 200
_log = logging.getLogger("sampan.api.aggregation")


class _ResourceList(msgspec.Struct):
    resources: tuple[Object, ...] = ()


class ServerCheck:
    """What it finds out of one APIService at a time it keeps in `versions`."""

    def __init__(self, cache: WatchCache, servers: Servers, versions: RemoteVersions) -> None:
        self._cache = cache
        self._servers = servers
        self._versions = versions

    async def availability(self, service: ApiService) -> Availability:
        """Asks the server, and takes in which resources it has."""
        reference = service.spec.service
        if reference is None:
            return LOCAL
        found = problem(
            reference,
            find_service(self._cache, reference.namespace, reference.name),
            slices_of(self._cache, reference.namespace, reference.name),
        )
        if found is None:
            found = await self._checked(service)
        if found is not PASSED:
            self._versions.grow_stale(*service.place)
        return found

    async def _checked(self, service: ApiService) -> Availability:
        group, version = service.place
        path = f"/apis/{group}/{version}"
        try:
            origins = await self._origins(service)
        except Unreachable as error:
            return failed(str(error))
        verdict = failed("")
        for origin in origins[:_ATTEMPTS]:
            url = f"https://{origin.authority}{path}"
            prefix = f"failing or missing response from {url}: "
            try:
                answer = await self._asked(origin, path)
                if 200 <= answer.status < 300:
                    self._take(service, answer)
                    return PASSED
                verdict = failed(f"{prefix}bad status from {url}: {answer.status}")
            except (ConnectionError, ssl.SSLError) as error:
                verdict = failed(f'{prefix}Get "{url}": {error}')
            except TimeoutError:
                verdict = failed(f'{prefix}Get "{url}": context deadline exceeded')
        return verdict

    async def _origins(self, service: ApiService) -> list[Origin]:
        """In an order that stays, so that what is told of a failure does as well."""
        return sorted(await self._servers.origins(service), key=lambda it: it.authority)

    async def _asked(self, origin: Origin, path: str, tag: str = "") -> Answer:
        async with asyncio.timeout(CHECK_SECONDS):
            return await asked(origin, path, tag)

    def _take(self, service: ApiService, answer: Answer) -> None:
        try:
            listed = msgspec.json.decode(answer.body, type=_ResourceList).resources
        except msgspec.DecodeError:
            # It answers, and that is what makes it available; clients get the same answer.
            listed = ()
        known = self._versions.at(*service.place)
        self._versions.put(msgspec.structs.replace(known, resources=listed, is_fresh=True))

    async def read_openapi(self, service: ApiService) -> None:
        """Its OpenAPI, if it has any; servers need none to be available."""
        known = self._versions.at(*service.place)
        path = f"/openapi/v3/{known.document_name}"
        version_3 = await self._document(service, path, known.openapi, openapi_of)
        part = partial(part_of, group_version=known.group_version)
        version_2 = await self._document(service, "/openapi/v2", known.swagger, part)
        current = self._versions.at(*service.place)
        self._versions.put(msgspec.structs.replace(current, openapi=version_3, swagger=version_2))

    async def _document(
        self,
        service: ApiService,
        path: str,
        known: OpenApi | None,
        read: Callable[[bytes, str], OpenApi],
    ) -> OpenApi | None:
        """A document as it is now, or as it was known when there is no newer one to be had."""
        try:
            origin = (await self._origins(service))[0]
            answer = await self._asked(origin, path, known.tag if known is not None else "")
            if answer.status != _OK:
                return known
            # It may have megabytes.
            return await asyncio.to_thread(read, answer.body, answer.tag)
        except (ConnectionError, ssl.SSLError, TimeoutError, Unreachable, msgspec.DecodeError):
            _log.info("the OpenAPI of %s can't be read", service.name, exc_info=True)
            return known
