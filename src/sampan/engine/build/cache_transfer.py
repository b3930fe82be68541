"""The caches that a request names: brought before its steps, and taken there after them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from sampan.engine.build.cache import CachedStep
from sampan.engine.build.cache_exchange import (
    CacheImports,
    is_cache,
    read_cache,
    write_cache,
)
from sampan.engine.build.cache_place import CachePlace
from sampan.engine.build.contract import (
    BuildProgress,
    BuildRequest,
    CacheLocation,
    ClientSources,
    TaskEnded,
    TaskTold,
)
from sampan.engine.contract import EngineError, ImageNotFound, InvalidConfiguration
from sampan.engine.images.documents import Descriptor
from sampan.engine.images.pins import PinSet
from sampan.engine.images.reference import parse_reference
from sampan.engine.images.registry.registries import Registries
from sampan.engine.images.store import ImageStore

_TOLD = {"registry": "registry", "client": "client directory"}


class CacheTransfers:
    """Of one build. Without `registries` none can be asked."""

    def __init__(
        self,
        store: ImageStore,
        registries: Registries | None,
        request: BuildRequest,
        *,
        sources: ClientSources | None,
        pins: PinSet,
        progress: BuildProgress,
    ) -> None:
        self._store = store
        self._registries = registries
        self._request = request
        self._sources = sources
        self._pins = pins
        self._progress = progress

    async def open_imports(self, stack: AsyncExitStack, imports: CacheImports) -> list[str]:
        """Find the caches, which can be asked as long as `stack` isn't closed; the names of
        images that may lend layers instead. One that can't be had is no hindrance."""
        donors: list[str] = []
        for location in self._request.cache_imports:
            if location.kind == "registry" and self._lends(location.place):
                donors.append(location.place)
                continue
            try:
                with self._task(f"importing cache manifest from {location.place}"):
                    place = await stack.enter_async_context(self._place(location, writes=False))
                    document = await place.document()
                    if document is None:
                        raise ImageNotFound(f"{location.place}: not found")
                    if is_cache(document):
                        imports.add(await read_cache(place, document))
                    else:
                        donors.append(location.place)
            except EngineError:
                continue  # its task has told of it
        return donors

    def _lends(self, name: str) -> bool:
        """Whether an image of this machine has an inline cache."""
        try:
            return bool(self._store.resolve(name).configuration.build_cache)
        except EngineError:
            return False

    async def export(
        self, used: Mapping[str, CachedStep], layers: tuple[str, ...]
    ) -> Descriptor | None:
        """Take the records of the build to where they are wanted; `layers` are the images'.

        Raises EngineError, OSError.
        """
        written: Descriptor | None = None
        for location in self._request.cache_exports:
            try:
                with self._task(f"exporting cache to {_TOLD[location.kind]}"):
                    async with self._place(location, writes=True) as place:
                        kept = layers if location.mode == "min" else None
                        written = await write_cache(place, self._store, used, self._pins, kept=kept)
            except EngineError:
                if not location.ignores_errors:
                    raise
        return written

    @asynccontextmanager
    async def _place(self, location: CacheLocation, *, writes: bool) -> AsyncIterator[CachePlace]:
        if location.kind == "client":
            if self._sources is None:
                raise InvalidConfiguration("there is no client to keep a cache")
            yield self._sources.cache_place(location.place, location.digest)
            return
        if self._registries is None:
            raise InvalidConfiguration("no registries are known here")
        credentials = None
        if self._sources is not None:
            registry = parse_reference(location.place).registry
            credentials = await self._sources.credentials(registry)
        async with self._registries.repository(
            location.place, credentials, writes=writes
        ) as repository:
            yield repository

    @contextmanager
    def _task(self, name: str) -> Iterator[None]:
        self._progress(TaskTold(name))
        try:
            yield
        except (EngineError, OSError, asyncio.CancelledError) as error:
            self._progress(TaskEnded(name, str(error) or type(error).__name__))
            raise
        self._progress(TaskEnded(name))
