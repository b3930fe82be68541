"""The builds of BuildKit's clients: each under the reference that its client gave it.

A client either names the frontend at once, or solves through the gateway (`LLBBridge`) what it
has opened a build for, and tells at the end that this is the result.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from sampan.engine.build.contract import ArchiveContext, Builds, Context, RemoteContext
from sampan.faces.dockerapi.buildkit import grpc
from sampan.faces.dockerapi.buildkit.file_transfer import FolderRequest, folder_stream, read_files
from sampan.faces.dockerapi.buildkit.progress import SolveProgress
from sampan.faces.dockerapi.buildkit.session import ClientSession, Sessions
from sampan.faces.dockerapi.buildkit.solve_request import Wanted, build_request

_REMEMBERED = 64
_ARRIVAL_SECONDS = 5.0


class Solve:
    def __init__(self, session: str, names: tuple[str, ...], progress: SolveProgress) -> None:
        self.session = session
        self.names = names
        self.progress = progress
        self.identifier = ""
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

    def result(self) -> dict[str, str]:
        """What the client is told of the image."""
        if not self.identifier:
            return {}
        found = {
            "containerimage.config.digest": self.identifier,
            "containerimage.digest": self.identifier,
        }
        return found | ({"image.name": ",".join(self.names)} if self.names else {})


class Solves:
    """`clock` gives seconds since the epoch."""

    def __init__(self, builds: Builds, sessions: Sessions, clock: Callable[[], float]) -> None:
        self._builds = builds
        self._sessions = sessions
        self._clock = clock
        self._solves: OrderedDict[str, Solve] = OrderedDict()
        self._arrived = asyncio.Condition()

    async def begin(self, reference: str, session: str, names: tuple[str, ...]) -> Solve:
        solve = Solve(session, names, SolveProgress(reference, self._clock))
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
        wanted = Wanted(session=solve.session, options=options, names=solve.names)
        session = await self._sessions.find(solve.session)
        dockerfile, context = await _context(session, wanted)
        contexts: dict[str, Context] = {
            name: ArchiveContext(folder_stream(session.connection, FolderRequest(name=folder)))
            for name, folder in wanted.named_folders.items()
        }
        request = build_request(wanted, dockerfile, contexts)
        solve.identifier = await self._builds.build(request, context, solve.progress.take, session)


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
        general = FolderRequest(name=wanted.context_folder, included=(".dockerignore",))
        ignored = (await read_files(session.connection, general)).get(".dockerignore", b"")
    if name not in files:
        raise grpc.CallFailed(
            grpc.UNKNOWN,
            f"failed to read dockerfile: open {name}: no such file or directory",
        )
    folder = FolderRequest(name=wanted.context_folder, excluded=_patterns(ignored))
    return files[name], ArchiveContext(folder_stream(session.connection, folder))


def _patterns(text: bytes) -> tuple[str, ...]:
    lines = (line.strip() for line in text.decode(errors="replace").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))
