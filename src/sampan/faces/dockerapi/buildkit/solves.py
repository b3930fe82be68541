"""The builds of BuildKit's clients: each under the reference that its client gave it.

A client either names the frontend at once, or solves through the gateway (`LLBBridge`) what it
has opened a build for, and tells at the end that this is the result.
"""

import asyncio
import base64
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from sampan.engine.build.contract import (
    ArchiveContext,
    BuildResult,
    Builds,
    Context,
    RemoteContext,
)
from sampan.engine.build.outline import outline_of, targets_of
from sampan.engine.images.documents import INDEX_TYPES, encode
from sampan.faces.dockerapi.buildkit import grpc
from sampan.faces.dockerapi.buildkit.cache_options import CacheOption
from sampan.faces.dockerapi.buildkit.exporters import Exporter, outputs_of
from sampan.faces.dockerapi.buildkit.file_transfer import FolderRequest, folder_stream, read_files
from sampan.faces.dockerapi.buildkit.progress import SolveProgress
from sampan.faces.dockerapi.buildkit.session import ClientSession, Sessions
from sampan.faces.dockerapi.buildkit.solve_request import Wanted, build_request

_REMEMBERED = 64
_STORED = ("moby", "image")
_IGNORE_FILE = ".dockerignore"
_ARRIVAL_SECONDS = 5.0


class Solve:
    def __init__(
        self,
        session: str,
        exporters: tuple[Exporter, ...],
        cache_exports: tuple[CacheOption, ...],
        entitlements: tuple[str, ...],
        progress: SolveProgress,
    ) -> None:
        self.session = session
        self.exporters = exporters
        self.cache_exports = cache_exports
        self.entitlements = entitlements
        self.progress = progress
        self._built = BuildResult()
        self._returned: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def give_back(self, error: str) -> None:
        """The client has its result, or gives up with an error."""
        if self._returned.done():
            return
        if error:
            self._returned.set_exception(grpc.CallFailed(grpc.UNKNOWN, error))
        else:
            self._returned.set_result(None)

    async def returned(self) -> None:
        """Raises CallFailed."""
        await self._returned

    def finish(self, built: BuildResult) -> None:
        self._built = built

    def result(self) -> dict[str, str]:
        """What the client is told of the image."""
        built = self._built
        cache = {"cache.manifest": encode(built.cache).decode()} if built.cache else {}
        if not built.identifier or built.image is None:
            return cache
        is_stored = any(each.kind in _STORED for each in self.exporters)
        is_single = built.image.media_type not in INDEX_TYPES
        found = {
            "containerimage.config.digest": built.identifier,
            # The Engine API knows a single image by its configuration.
            "containerimage.digest": built.identifier
            if is_stored and is_single
            else built.image.digest,
            "containerimage.descriptor": base64.b64encode(encode(built.image)).decode(),
        }
        return found | cache | ({"image.name": ",".join(built.names)} if built.names else {})


class Solves:
    """`clock` gives seconds since the epoch."""

    def __init__(self, builds: Builds, sessions: Sessions, clock: Callable[[], float]) -> None:
        self._builds = builds
        self._sessions = sessions
        self._clock = clock
        self._solves: OrderedDict[str, Solve] = OrderedDict()
        self._arrived = asyncio.Condition()

    async def begin(
        self,
        reference: str,
        session: str,
        exporters: tuple[Exporter, ...],
        cache_exports: tuple[CacheOption, ...],
        entitlements: tuple[str, ...],
    ) -> Solve:
        progress = SolveProgress(reference, self._clock)
        solve = Solve(session, exporters, cache_exports, entitlements, progress)
        self._solves[reference] = solve
        while len(self._solves) > _REMEMBERED:
            self._solves.popitem(last=False)
        async with self._arrived:
            self._arrived.notify_all()
        return solve

    async def find(self, reference: str) -> Solve:
        """A build that may be just about to begin. Raises CallFailed."""
        try:
            async with asyncio.timeout(_ARRIVAL_SECONDS), self._arrived:
                await self._arrived.wait_for(lambda: reference in self._solves)
        except TimeoutError as error:
            raise grpc.CallFailed(grpc.NOT_FOUND, f"no such job {reference[:60]}") from error
        return self._solves[reference]

    async def run(self, solve: Solve, options: dict[str, str]) -> None:
        """Build, with files of the client's session. Raises EngineError, ConnectionError."""
        wanted = Wanted(
            session=solve.session,
            options=options,
            exporters=solve.exporters,
            cache_exports=solve.cache_exports,
            entitlements=solve.entitlements,
        )
        session = await self._sessions.find(solve.session)
        dockerfile, context = await _context(session, wanted)
        contexts: dict[str, Context] = {
            name: await _named_folder(session, folder)
            for name, folder in wanted.named_folders.items()
        }
        contexts |= {name: RemoteContext(url) for name, url in wanted.named_remotes.items()}
        outputs = outputs_of(solve.exporters, session.connection)
        request = build_request(wanted, dockerfile, contexts, outputs)
        progress = solve.progress.take
        solve.finish(await self._builds.build(request, context, progress, session))

    async def describe(self, solve: Solve, options: dict[str, str]) -> bytes:
        """What the Dockerfile offers, as JSON. Raises EngineError, ConnectionError."""
        wanted = Wanted(session=solve.session, options=options)
        session = await self._sessions.find(solve.session)
        dockerfile, _ = await _context(session, wanted)
        if dockerfile is None:
            raise grpc.CallFailed(grpc.UNIMPLEMENTED, "a Dockerfile elsewhere is not looked into")
        match options["requestid"]:
            case "frontend.targets":
                return msgspec.json.encode(targets_of(dockerfile, wanted.arguments))
            case "frontend.outline":
                target = options.get("target", "")
                return msgspec.json.encode(outline_of(dockerfile, target, wanted.arguments))
        raise grpc.CallFailed(
            grpc.UNIMPLEMENTED, f"{options['requestid'][:60]} is not answered here"
        )


async def _context(session: ClientSession, wanted: Wanted) -> tuple[bytes | None, Context]:
    """The Dockerfile, where it doesn't lie in the context itself, and the context."""
    if wanted.remote.startswith(("http://", "https://", "git@", "git://", "ssh://")):
        return None, RemoteContext(wanted.remote)
    name = wanted.dockerfile
    own = f"{name}.dockerignore"
    files = await read_files(
        session.connection, FolderRequest(name=wanted.dockerfile_folder, included=(name, own))
    )
    ignored = files.get(own)
    if ignored is None:
        ignored = await _ignore_file(session, wanted.context_folder)
    if name not in files:
        raise grpc.CallFailed(
            grpc.UNKNOWN,
            f"failed to read dockerfile: open {name}: no such file or directory",
        )
    folder = FolderRequest(name=wanted.context_folder, excluded=_patterns(ignored))
    return files[name], ArchiveContext(folder_stream(session.connection, folder))


async def _named_folder(session: ClientSession, folder: str) -> Context:
    ignored = await _ignore_file(session, folder)
    wanted = FolderRequest(name=folder, excluded=_patterns(ignored))
    return ArchiveContext(folder_stream(session.connection, wanted))


async def _ignore_file(session: ClientSession, folder: str) -> bytes:
    wanted = FolderRequest(name=folder, included=(_IGNORE_FILE,))
    return (await read_files(session.connection, wanted)).get(_IGNORE_FILE, b"")


def _patterns(text: bytes) -> tuple[str, ...]:
    lines = (line.strip() for line in text.decode(errors="replace").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))
