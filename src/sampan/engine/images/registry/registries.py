"""All registries, as the machine's images use them: pull, push, look and log in."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec

from sampan.engine.contract import EngineError, Forbidden, ImageNotFound, NotFound
from sampan.engine.images.contract import (
    Credentials,
    Distribution,
    LayerProgress,
    Progress,
    Pushed,
)
from sampan.engine.images.documents import (
    DOCUMENT_LIMIT,
    Descriptor,
    Platform,
    decode_configuration,
    decode_index,
    decode_manifest,
)
from sampan.engine.images.known_credentials import find_credentials
from sampan.engine.images.platforms import machine_platform
from sampan.engine.images.reference import (
    DEFAULT_REGISTRY,
    Reference,
    familiar,
    parse_reference,
)
from sampan.engine.images.registry.blob_download import BlobDownloads
from sampan.engine.images.registry.connection import RegistryConnection, opened
from sampan.engine.images.registry.manifests import (
    FetchedDocument,
    all_tags,
    fetch_document,
    read_bounded,
)
from sampan.engine.images.registry.pulling import ImagePull
from sampan.engine.images.registry.pushing import ImagePush, blob_sources
from sampan.engine.images.registry.refusals import (
    RegistryRefusal,
    RegistryUnreachable,
    pull_refused,
    push_refused,
)
from sampan.engine.images.registry.repository import RegistryRepository
from sampan.engine.images.registry.settings import Endpoint, SettingsFile
from sampan.engine.images.store import ImageStore

# What nobody has tried to finish for so long is not worth its space (seconds).
_PARTIAL_AGE = 7 * 24 * 3600.0
_BROKEN = (aiohttp.ClientError, TimeoutError)


class _Pull(msgspec.Struct, frozen=True):
    reference: Reference
    platform: Platform
    progress: Progress
    all_tags: bool


class Registries:
    """`clock` gives seconds since the epoch. Who gives no credentials is who the machine's own
    `credential_file` (docker's config.json) says."""

    def __init__(
        self,
        store: ImageStore,
        settings: SettingsFile,
        clock: Callable[[], float],
        credential_file: Path | None = None,
    ) -> None:
        self._store = store
        self._credential_file = credential_file
        self._clock = clock
        self._downloads = BlobDownloads(store.blobs)
        store.blobs.clear_partial(clock() - _PARTIAL_AGE)
        self._settings = settings

    async def pull(
        self,
        name: str,
        *,
        platform: Platform,
        credentials: Credentials | None,
        progress: Progress,
        all_tags: bool = False,
    ) -> str:
        """The digest of the manifest that was brought last.

        Raises InvalidReference, NotFound, Forbidden, InvalidImage, EngineError, OSError.
        """
        reference = parse_reference(name)
        candidates = self._addresses(reference, with_mirrors=True)
        origin = [it for it in candidates if not it.is_mirror]
        pull = _Pull(reference, platform, progress, all_tags)
        try:
            for mirror in (it for it in candidates if it.is_mirror):
                try:
                    return await self._pull_from([mirror], pull, None)
                except (RegistryRefusal, RegistryUnreachable, Forbidden):
                    if mirror is candidates[-1]:
                        raise
            known = credentials or await self._known(reference.registry)
            return await self._pull_from(origin, pull, known)
        except RegistryRefusal as error:
            shown = familiar(str(reference))
            raise pull_refused(error, shown, familiar(reference.repository)) from error

    def _addresses(self, reference: Reference, *, with_mirrors: bool) -> list[Endpoint]:
        image = familiar(str(reference))
        return self._settings.addresses(reference.registry, image, with_mirrors=with_mirrors)

    async def pull_with_any(self, name: str, credentials: Sequence[Credentials]) -> str:
        """The same for this machine's platform, with the first credentials that will do."""
        platform = machine_platform()
        for each in (*credentials[:-1],):
            try:
                return await self.pull(
                    name, platform=platform, credentials=each, progress=lambda _: None
                )
            except (NotFound, Forbidden):
                continue
        last = credentials[-1] if credentials else None
        return await self.pull(name, platform=platform, credentials=last, progress=lambda _: None)

    async def _pull_from(
        self, candidates: Sequence[Endpoint], pull: "_Pull", credentials: Credentials | None
    ) -> str:
        path = pull.reference.path
        scopes = [f"repository:{path}:pull"]
        async with _opened(candidates, path, scopes, credentials) as connection:
            wanted = [pull.reference]
            if pull.all_tags:
                tags = await all_tags(connection)
                wanted = [Reference(pull.reference.repository, tag) for tag in tags]
            manifest = ""
            for each in wanted:
                with self._store.pinned() as pins:
                    puller = ImagePull(
                        self._store,
                        self._downloads,
                        connection,
                        pins=pins,
                        tell=pull.progress,
                        moment=self._clock(),
                    )
                    manifest = await puller.pull(each, pull.platform)
            return manifest

    async def push(
        self,
        name: str,
        *,
        credentials: Credentials | None,
        progress: Progress,
        all_tags: bool = False,
    ) -> list[Pushed]:
        """Raises InvalidReference, ImageNotFound, Forbidden, EngineError, OSError."""
        reference = parse_reference(name)
        progress(LayerProgress(status=f"The push refers to repository [{reference.repository}]"))
        wanted = [
            parse_reference(tag)
            for tag in sorted(self._store.names.tags)
            if tag == reference.tagged
            or (all_tags and tag.rpartition(":")[0] == reference.repository)
        ]
        if not wanted:
            shown = familiar(reference.repository)
            raise ImageNotFound(f"An image does not exist locally with the tag: {shown}")
        sources = blob_sources(self._store, reference)
        scopes = [f"repository:{reference.path}:pull,push"]
        scopes += [f"repository:{source}:pull" for source in sorted(set(sources.values()))]
        candidates = self._addresses(reference, with_mirrors=False)
        known = credentials or await self._known(reference.registry)
        try:
            async with _opened(candidates, reference.path, scopes, known) as connection:
                return [
                    await self._push_one(connection, each, sources, progress) for each in wanted
                ]
        except RegistryRefusal as error:
            raise push_refused(error) from error

    async def _known(self, registry: str) -> Credentials | None:
        if self._credential_file is None:
            return None
        return await find_credentials(self._credential_file, registry)

    async def _push_one(
        self,
        connection: RegistryConnection,
        reference: Reference,
        sources: dict[str, str],
        progress: Progress,
    ) -> Pushed:
        target = self._store.names.tags[reference.tagged]
        with self._store.pinned() as pins:
            pins.add(*self._store.below(target.digest), *self._store.below(target.image))
            push = ImagePush(self._store, connection, sources=sources, pins=pins, tell=progress)
            return await push.push(reference, target)

    async def distribution(self, name: str, credentials: Credentials | None) -> Distribution:
        """What a registry has under a name, without bringing it. Raises as `pull`."""
        reference = parse_reference(name)
        candidates = self._addresses(reference, with_mirrors=False)
        scopes = [f"repository:{reference.path}:pull"]
        try:
            async with _opened(candidates, reference.path, scopes, credentials) as connection:
                found = await fetch_document(connection, reference.digest or reference.tag)
                platforms = await _platforms(connection, found)
        except RegistryRefusal as error:
            shown = familiar(str(reference))
            raise pull_refused(error, shown, familiar(reference.repository)) from error
        descriptor = Descriptor(
            media_type=found.media_type, digest=found.digest, size=len(found.data)
        )
        return Distribution(descriptor=descriptor, platforms=platforms)

    @asynccontextmanager
    async def repository(
        self, name: str, credentials: Credentials | None, *, writes: bool
    ) -> AsyncIterator[RegistryRepository]:
        """A tag as a place for what is no image, for a `with` block. Raises as `pull`."""
        reference = parse_reference(name)
        candidates = self._addresses(reference, with_mirrors=False)
        scopes = [f"repository:{reference.path}:{'pull,push' if writes else 'pull'}"]
        known = credentials or await self._known(reference.registry)
        async with _opened(candidates, reference.path, scopes, known) as connection:
            yield RegistryRepository(connection, reference.digest or reference.tag)

    async def verify(self, credentials: Credentials) -> str:
        """An identity token, or "" where passwords are all there is. Raises Forbidden,
        RegistryUnreachable."""
        registry = registry_of(credentials.server)
        candidates = self._settings.addresses(registry, with_mirrors=False)
        try:
            async with opened(candidates, "", (), credentials, wants_identity=True) as connection:
                return connection.identity_token
        except RegistryRefusal as error:
            if error.status in (401, 403):
                raise Forbidden(f"login attempt to {registry} failed: {error}") from error
            raise


def registry_of(server: str) -> str:
    """The registry that a user means by a server's address, "" being the default one."""
    host = server.partition("://")[2] or server
    host = host.partition("/")[0]
    return DEFAULT_REGISTRY if not host or host.endswith(f".{DEFAULT_REGISTRY}") else host


@asynccontextmanager
async def _opened(
    candidates: Sequence[Endpoint],
    path: str,
    scopes: Sequence[str],
    credentials: Credentials | None,
) -> AsyncIterator[RegistryConnection]:
    """A connection whose breaking is told as RegistryUnreachable."""
    try:
        async with opened(candidates, path, scopes, credentials) as connection:
            yield connection
    except _BROKEN as error:
        raise RegistryUnreachable(f"the registry can't be reached: {error}") from error


async def _platforms(
    connection: RegistryConnection, found: FetchedDocument
) -> tuple[Platform, ...]:
    if found.is_index:
        listed = decode_index(found.data).manifests
        return tuple(it.platform for it in listed if it.platform is not None)
    config = decode_manifest(found.data).config
    if config.size > DOCUMENT_LIMIT:
        raise EngineError(f"an image document has more than {DOCUMENT_LIMIT} bytes")
    async with connection.request("GET", connection.url(f"blobs/{config.digest}")) as answer:
        configuration = decode_configuration(await read_bounded(answer.content.iter_any()))
    platform = Platform(
        architecture=configuration.architecture,
        os=configuration.os,
        variant=configuration.variant,
    )
    return (platform,)
