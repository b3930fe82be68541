"""From finished stages to what was wanted of them: images and indexes, archives, files.

A single image lies in the store as it was made, its layers plain. What goes out as one document
with others, an index or an OCI layout, has its layers compressed first: what is in it is then
final, to the last digest.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import msgspec

from sampan.engine.build.contract import (
    BuildEnded,
    BuildProgress,
    BuildRequest,
    BuildResult,
    BuildTagged,
    ClientSources,
    TaskEnded,
    TaskTold,
)
from sampan.engine.build.file_tree import FileTree, tar_of
from sampan.engine.build.outputs import (
    ArchiveOutput,
    FilesOutput,
    Output,
    StoreOutput,
    TarOutput,
)
from sampan.engine.build.stage_state import StageState
from sampan.engine.build.workspace import Workspace
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.bridge import pieces_of
from sampan.engine.images.contract import Images, LayerProgress
from sampan.engine.images.documents import (
    INDEX_TYPE,
    LAYER_TYPE,
    Descriptor,
    Index,
    Platform,
    encode,
)
from sampan.engine.images.names import Target
from sampan.engine.images.pins import PinSet
from sampan.engine.images.platforms import fits, machine_platform, platform_text
from sampan.engine.images.reference import DEFAULT_REGISTRY, parse_reference
from sampan.engine.images.registry.compression import compressed_layer
from sampan.engine.images.saving import SavedImage, archive_of
from sampan.engine.images.store import ImageStore

_EXPORTING = {"docker": "exporting to docker image format", "oci": "exporting to oci image format"}


class Built(msgspec.Struct, frozen=True):
    """What one platform's build came to; `latest` is SOURCE_DATE_EPOCH."""

    state: StageState
    latest: int | None


class Delivery:
    """Of one build, whose request says where to."""

    def __init__(
        self,
        store: ImageStore,
        images: Images | None,
        request: BuildRequest,
        *,
        workspace: Workspace,
        pins: PinSet,
        progress: BuildProgress,
        sources: ClientSources | None,
    ) -> None:
        self._store = store
        self._images = images
        self._request = request
        self._workspace = workspace
        self._pins = pins
        self._progress = progress
        self._sources = sources

    async def deliver(self, built: Sequence[Built]) -> BuildResult:
        """Raises EngineError, OSError."""
        result = BuildResult()
        for output in self._request.outputs:
            result = await self._deliver(output, built, result)
        return result

    async def _deliver(
        self, output: Output, built: Sequence[Built], result: BuildResult
    ) -> BuildResult:
        match output:
            case StoreOutput():
                return await self._to_store(output, built)
            case ArchiveOutput():
                return await self._to_archive(output, built)
            case TarOutput():
                async with self._tree(built, splits=output.splits) as tree:
                    with self._task("exporting to client tarball", "sending tarball"):
                        await output.take(pieces_of(tar_of(tree)))
            case FilesOutput():
                async with self._tree(built, splits=output.splits) as tree:
                    with self._task("exporting to client directory", "copying files"):
                        await output.take(tree)
        return result

    @contextmanager
    def _task(self, name: str, status: str) -> Iterator[None]:
        self._progress(TaskTold(name, status))
        try:
            yield
        except Exception as error:
            self._progress(TaskEnded(name, str(error)))
            raise
        self._progress(TaskEnded(name))

    @asynccontextmanager
    async def _tree(self, built: Sequence[Built], *, splits: bool) -> AsyncIterator[FileTree]:
        roots: list[tuple[str, Path]] = []
        async with AsyncExitStack() as stack:
            for each in built:
                view = await stack.enter_async_context(self._workspace.view(each.state.diff_ids))
                text = platform_text(each.state.platform).replace("/", "_")
                roots.append((text if len(built) > 1 and splits else "", view.root))
            yield FileTree(roots, built[0].latest)

    async def _to_store(self, output: StoreOutput, built: Sequence[Built]) -> BuildResult:
        chosen = _chosen([each.state.platform for each in built])
        manifest, target = await self._image(built, chosen, is_final=False)
        await self._store.keep(manifest)
        identifier = self._store.stored(manifest).identifier
        self._progress(BuildEnded(identifier))
        for name in output.names:
            await self._name(identifier, name, target)
            self._progress(BuildTagged(name))
        if output.pushes:
            for name in output.names:
                await self._push(name)
        return BuildResult(identifier=identifier, names=output.names, image=target)

    async def _name(self, identifier: str, name: str, target: Descriptor) -> None:
        index = target.digest if target.media_type == INDEX_TYPE else ""
        if self._images is not None:
            await self._images.tag(identifier, name, index=index)
        else:
            await self._store.tag(self._store.resolve(identifier).digest, name)

    async def _push(self, name: str) -> None:
        if self._images is None:
            raise InvalidConfiguration("no registries are known here")
        task = f"pushing {name}"
        credentials = None
        if self._sources is not None:
            registry = parse_reference(name).repository.partition("/")[0] or DEFAULT_REGISTRY
            credentials = await self._sources.credentials(registry)

        def tell(progress: LayerProgress) -> None:
            self._progress(TaskTold(task, f"{progress.identifier} {progress.status}".strip()))

        with self._task(task, "pushing layers"):
            await self._images.push(name, credentials=credentials, progress=tell)

    async def _to_archive(self, output: ArchiveOutput, built: Sequence[Built]) -> BuildResult:
        if output.form == "docker" and len(built) > 1:
            raise InvalidConfiguration(
                "docker exporter does not currently support exporting manifest lists"
            )
        task = _EXPORTING[output.form]
        with self._task(task, "exporting layers"):
            chosen = _chosen([each.state.platform for each in built])
            manifest, target = await self._image(built, chosen, is_final=output.form == "oci")
            names = tuple(parse_reference(name).tagged for name in output.names)
            lead = Target(
                digest=target.digest, media_type=target.media_type, size=target.size, image=manifest
            )
            self._progress(TaskTold(task, "sending tarball"))
            await output.take(pieces_of(archive_of(self._store, [SavedImage(lead, names)])))
        identifier = self._store.stored(manifest).identifier
        return BuildResult(identifier=identifier, names=output.names, image=target)

    async def _image(
        self, built: Sequence[Built], chosen: int, *, is_final: bool
    ) -> tuple[str, Descriptor]:
        """The manifest of the chosen platform, and what a name is to lead to."""
        is_index = len(built) > 1 or bool(self._request.index_annotations)
        manifests = [
            await self._manifest(each.state, is_final=is_final or is_index) for each in built
        ]
        if not is_index:
            return manifests[0].digest, manifests[0]
        index = Index(
            manifests=tuple(manifests),
            annotations=self._request.index_annotations or msgspec.UNSET,
        )
        data = encode(index)
        digest = await asyncio.to_thread(self._store.blobs.add, data)
        self._pins.add(digest)
        return manifests[chosen].digest, Descriptor(
            media_type=INDEX_TYPE, digest=digest, size=len(data)
        )

    async def _manifest(self, state: StageState, *, is_final: bool) -> Descriptor:
        base = self._base(state)
        with_keys = self._request.has_inline_cache
        if base and not is_final and not self._request.annotations:
            digest = base
        else:
            blobs = await self._compressed(state.blobs) if is_final else state.blobs
            digest = await asyncio.to_thread(
                self._store.add_manifest,
                state.configuration(with_keys=with_keys),
                blobs,
                self._pins,
                self._request.annotations,
            )
        stored = self._store.stored(digest)
        return Descriptor(
            media_type=stored.manifest.media_type,
            digest=digest,
            size=self._store.blobs.size(digest),
            platform=state.platform,
        )

    def _base(self, state: StageState) -> str:
        """The manifest of the image that nothing was added to, "" for any other."""
        if state.is_changed or not state.base:
            return ""
        known = self._store.identified(state.base)
        return known.digest if known is not None else ""

    async def _compressed(self, blobs: Sequence[Descriptor]) -> list[Descriptor]:
        return [
            await asyncio.to_thread(compressed_layer, self._store.blobs, blob, self._pins)
            if blob.media_type == LAYER_TYPE
            else blob
            for blob in blobs
        ]


def _chosen(platforms: Sequence[Platform]) -> int:
    """Which of several platforms this machine runs; the first when it is none of them."""
    machine = machine_platform()
    return next((number for number, one in enumerate(platforms) if fits(one, machine)), 0)
