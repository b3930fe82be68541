"""The machine's images as the engine's users handle them: the contract over the store.

What a registry has is brought and taken by `registry/`; what leaves is decided by `removal`.
"""

import asyncio
import builtins
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images import adding
from sampan.engine.images.archive import LoadedImage, load_archive
from sampan.engine.images.bridge import ThreadReader, pieces_of
from sampan.engine.images.contract import (
    CommitRequest,
    Credentials,
    Distribution,
    HistoryEntry,
    ImageDetail,
    LayerProgress,
    Loaded,
    Progress,
    Pruned,
    Pushed,
    Removed,
)
from sampan.engine.images.details import detail_of, history_of
from sampan.engine.images.documents import (
    Descriptor,
    ExecutionConfiguration,
    History,
    ImageConfiguration,
)
from sampan.engine.images.layers import chain_identifiers
from sampan.engine.images.pins import PinSet
from sampan.engine.images.platforms import machine_platform, parse_platform
from sampan.engine.images.reference import familiar, is_repository, parse_reference
from sampan.engine.images.registry.registries import Registries
from sampan.engine.images.removal import repository_of
from sampan.engine.images.removing import ImageRemover, Publish
from sampan.engine.images.saving import SavedImage, archive_of, saved_blobs
from sampan.engine.images.store import ImageStore

ApplyChanges = Callable[[ExecutionConfiguration, Sequence[str]], ExecutionConfiguration]


class MachineImages:
    """Implements the contract's Images.

    `publish` is told an event's action, the image's identifier and attributes; `apply_changes`
    applies a Dockerfile's instructions; `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        store: ImageStore,
        registries: Registries,
        *,
        publish: Publish,
        apply_changes: ApplyChanges,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._registries = registries
        self._publish = publish
        self._apply_changes = apply_changes
        self._clock = clock
        self._is_running: Callable[[str], bool] = lambda _: True

    async def list(self) -> builtins.list[ImageDetail]:
        return [detail_of(self._store, image) for image in self._store.distinct()]

    async def inspect(self, reference: str) -> ImageDetail:
        return detail_of(self._store, self._store.resolve(reference))

    async def history(self, reference: str) -> builtins.list[HistoryEntry]:
        return history_of(self._store, self._store.resolve(reference))

    async def pull(
        self,
        reference: str,
        *,
        platform: str = "",
        credentials: Credentials | None = None,
        progress: Progress | None = None,
        all_tags: bool = False,
    ) -> ImageDetail:
        wanted = parse_platform(platform) if platform else machine_platform()
        manifest = await self._registries.pull(
            reference,
            platform=wanted,
            credentials=credentials,
            progress=_untold if progress is None else progress,
            all_tags=all_tags,
        )
        image = self._store.stored(manifest)
        self._publish("pull", familiar(str(parse_reference(reference))), {"name": reference})
        return detail_of(self._store, image)

    async def push(
        self,
        reference: str,
        *,
        credentials: Credentials | None = None,
        progress: Progress | None = None,
        all_tags: bool = False,
    ) -> builtins.list[Pushed]:
        pushed = await self._registries.push(
            reference,
            credentials=credentials,
            progress=_untold if progress is None else progress,
            all_tags=all_tags,
        )
        self._publish("push", familiar(str(parse_reference(reference))), {"name": reference})
        return pushed

    async def distribution(
        self, reference: str, credentials: Credentials | None = None
    ) -> Distribution:
        return await self._registries.distribution(reference, credentials)

    async def verify(self, credentials: Credentials) -> str:
        return await self._registries.verify(credentials)

    async def tag(self, reference: str, name: str, *, index: str = "") -> None:
        manifest, known = self._store.find(reference)
        if parse_reference(name).digest:
            raise InvalidConfiguration("refusing to create a tag with a digest reference")
        # A name of an index leads to all of its platforms; so does one more name of it.
        target = self._store.names.tags.get(known) or self._store.names.digests.get(known)
        await self._name(manifest, index or (target.digest if target else manifest), name)

    async def _name(self, manifest: str, target: str, name: str) -> None:
        tagged = parse_reference(name).tagged
        await self._store.keep(manifest)
        lead = self._store.target(target, manifest, self._clock())
        await self._store.change_names(lambda names: names.with_tag(tagged, lead))
        identifier = self._store.stored(manifest).identifier
        self._publish("tag", identifier, {"name": familiar(tagged)})

    async def remove(
        self, reference: str, *, force: bool = False, prune_parents: bool = True
    ) -> builtins.list[Removed]:
        return await self._remover().remove(reference, force=force, prune_parents=prune_parents)

    async def prune(self, is_wanted: Callable[[ImageDetail], bool]) -> Pruned:
        pruned = await self._remover().prune(is_wanted)
        self._publish("prune", "", {"reclaimed": str(pruned.space)})
        return pruned

    def _remover(self) -> ImageRemover:
        return ImageRemover(self._store, self._publish, self._is_running)

    async def save(self, references: Sequence[str]) -> AsyncIterator[bytes]:
        images = [each for reference in references for each in self._saved(reference)]
        with self._store.pinned() as pins:
            pins.add(*saved_blobs(self._store, images))
            async for piece in pieces_of(archive_of(self._store, images)):
                yield piece
        for image in images:
            identifier = self._store.stored(image.target.image).identifier
            self._publish("save", identifier, {"name": identifier})

    def _saved(self, reference: str) -> Iterator[SavedImage]:
        """A repository without a tag stands for all of its tags, as docker has it."""
        tags = self._store.names.tags
        if is_repository(reference):
            repository = parse_reference(reference).repository
            names = [name for name in sorted(tags) if repository_of(name) == repository]
            if names:
                yield from (SavedImage(tags[name], (name,)) for name in names)
                return
        manifest, name = self._store.find(reference)
        if name in tags:
            yield SavedImage(tags[name], (name,))
        else:
            yield SavedImage(self._store.target(manifest), ())

    async def load(
        self, stream: AsyncIterator[bytes], progress: Progress | None = None
    ) -> builtins.list[Loaded]:
        tell = _untold if progress is None else progress
        reader = ThreadReader(stream)
        with self._store.pinned() as pins:
            found = await asyncio.to_thread(load_archive, self._store, reader, pins)
            for each in found:
                await self._take_in(each, pins, tell)
        return [
            Loaded(
                name=familiar(each.name) if each.name else "",
                identifier=self._store.stored(each.manifest).identifier,
            )
            for each in found
        ]

    async def _take_in(self, loaded: LoadedImage, pins: PinSet, tell: Progress) -> None:
        image = self._store.stored(loaded.manifest)
        pins.add(*chain_identifiers(image.diff_ids))
        for number, layer in enumerate(image.manifest.layers, start=1):
            short = image.diff_ids[number - 1].removeprefix("sha256:")[:12]
            tell(
                LayerProgress(
                    status="Loading layer", identifier=short, current=layer.size, total=layer.size
                )
            )
            await self._store.unpack_layer(image.diff_ids[:number], layer.digest)
        await self._store.keep(loaded.manifest)
        if loaded.name:
            await self._name(loaded.manifest, loaded.target, loaded.name)
        self._publish("load", image.identifier, {"name": image.identifier})

    async def import_root(
        self,
        stream: AsyncIterator[bytes],
        *,
        name: str = "",
        changes: Sequence[str] = (),
        message: str = "",
        platform: str = "",
    ) -> str:
        wanted = parse_platform(platform) if platform else machine_platform()
        execution = self.changed(ExecutionConfiguration(), changes)
        if name:
            parse_reference(name)
        reader = ThreadReader(stream)
        with self._store.pinned() as pins:
            layer = await asyncio.to_thread(adding.layer_of_root, self._store, reader, pins)
            manifest = await asyncio.to_thread(
                adding.image_of_layers,
                self._store,
                [layer],
                pins,
                platform=wanted,
                execution=execution,
                step=History(created=self._now(), comment=message or "Imported from -"),
            )
            return await self._keep(manifest, name, pins, "import")

    async def commit(self, request: CommitRequest) -> str:
        base = self._store.resolve(request.base)
        step = History(
            created=self._now(),
            created_by=request.created_by,
            author=request.author,
            comment=request.message,
        )
        with self._store.pinned() as pins:
            pins.add(*base.needed, *chain_identifiers(base.diff_ids))
            layer = await asyncio.to_thread(
                adding.layer_of_changes,
                self._store,
                request.upper,
                pins,
                owners=request.owners,
            )
            manifest = await asyncio.to_thread(
                adding.image_on_top,
                self._store,
                base,
                layer,
                pins,
                execution=request.execution,
                step=step,
            )
            return await self._keep(manifest, request.name, pins, "", parent=base.identifier)

    async def _keep(
        self, manifest: str, name: str, pins: PinSet, action: str, parent: str = ""
    ) -> str:
        image = self._store.stored(manifest)
        pins.add(*chain_identifiers(image.diff_ids))
        await self._store.unpack(image)
        await self._store.keep(manifest, parent)
        if action:
            self._publish(action, image.identifier, {"name": image.identifier})
        if name:
            await self._name(manifest, manifest, name)
        return image.identifier

    def changed(
        self, execution: ExecutionConfiguration, changes: Sequence[str]
    ) -> ExecutionConfiguration:
        return self._apply_changes(execution, changes) if changes else execution

    def pinned(self) -> AbstractContextManager[PinSet]:
        return self._store.pinned()

    async def add_layer(self, upper: Path, pins: PinSet, latest: int | None = None) -> Descriptor:
        return await asyncio.to_thread(adding.layer_of_changes, self._store, upper, pins, latest)

    async def add_image(
        self,
        configuration: ImageConfiguration,
        layers: Sequence[Descriptor],
        pins: PinSet,
        *,
        parent: str = "",
    ) -> str:
        manifest = await asyncio.to_thread(self._store.add_manifest, configuration, layers, pins)
        await self._store.keep(manifest, parent)
        return self._store.stored(manifest).identifier

    def know_running(self, is_running: Callable[[str], bool]) -> None:
        self._is_running = is_running

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _untold(_: LayerProgress) -> None:
    """Nobody asked to be told."""
