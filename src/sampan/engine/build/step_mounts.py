"""Making what the `--mount` flags of a RUN name appear, for as long as its command runs.

Every path inside a cache folder or a stage's root is looked up within it and pinned by its
descriptor before it is mounted: a step that runs at the same time may swap a link there, and
must not move the mount out of the folder.
"""

import os
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from sampan.engine.build.cache_mounts import CacheMounts
from sampan.engine.build.contract import ClientSources
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.run_mounts import RunMount
from sampan.engine.build.source_tree import SourceTree
from sampan.engine.build.tree_copy import Ownership, clamped, copy_into
from sampan.engine.build.workspace import Workspace
from sampan.engine.configuration import Mount
from sampan.host import mounts, paths

_SECRET_LIMIT = 1 << 20
_AGENT_VARIABLE = "SSH_AUTH_SOCK"
_AGENTS = "/run/buildkit"

Root = Callable[[str], AbstractAsyncContextManager[Path]]


class StepMounts(msgspec.Struct, frozen=True):
    mounts: tuple[Mount, ...]
    environment: dict[str, str]


class MountMaker:
    """`root` gives the root of a stage, image or context by its name, "" for the context."""

    def __init__(
        self,
        workspace: Workspace,
        caches: CacheMounts,
        sources: ClientSources | None,
        root: Root,
        line: int,
    ) -> None:
        self._workspace = workspace
        self._caches = caches
        self._sources = sources
        self._root = root
        self._line = line

    @asynccontextmanager
    async def made(self, wanted: tuple[RunMount, ...]) -> AsyncIterator[StepMounts]:
        """Raises BuildFailed, EngineError, OSError."""
        found: list[Mount] = []
        environment: dict[str, str] = {}
        async with AsyncExitStack() as stack:
            folder = await stack.enter_async_context(self._workspace.scratch())
            for number, mount in enumerate(wanted):
                place = folder / str(number)
                match mount.kind:
                    case "tmpfs":
                        found.append(Mount(kind="tmpfs", target=mount.target, size=mount.size))
                    case "bind":
                        found.append(await self._bind(stack, mount, place))
                    case "cache":
                        found.append(await self._cache(stack, mount, place))
                    case "secret":
                        found += await self._secret(stack, mount, place, environment)
                    case "ssh":
                        found += await self._agent(stack, mount, number, environment)
            yield StepMounts(tuple(found), environment)

    async def _bind(self, stack: AsyncExitStack, mount: RunMount, place: Path) -> Mount:
        root = await stack.enter_async_context(self._root(mount.origin))
        if not mount.read_only:
            # What the command writes there is for itself alone.
            view = await stack.enter_async_context(self._workspace.over((root,)))
            root = view.root
        return self._pinned(stack, root, mount, place)

    async def _cache(self, stack: AsyncExitStack, mount: RunMount, place: Path) -> Mount:
        origin: Path | None = None
        if mount.origin:
            origin = await stack.enter_async_context(self._root(mount.origin))
        folder = await stack.enter_async_context(
            self._caches.taken(mount, lambda fresh: _fill(fresh, origin, mount))
        )
        within = mount if not mount.origin else msgspec.structs.replace(mount, source="")
        return self._pinned(stack, folder, within, place)

    def _pinned(self, stack: AsyncExitStack, root: Path, mount: RunMount, place: Path) -> Mount:
        with paths.opened_folder(root) as descriptor:
            try:
                found = paths.open_in_root(descriptor, mount.source or ".", os.O_PATH)
            except OSError as error:
                raise BuildFailed(
                    f"failed to mount {mount.source[:200]}: {error.strerror}", self._line
                ) from error
        try:
            if stat.S_ISDIR(os.fstat(found).st_mode):
                place.mkdir()
            else:
                place.touch()
            mounts.mount_bind(f"/proc/self/fd/{found}", str(place))
        finally:
            os.close(found)
        stack.callback(mounts.unmount, place, lazily=True)
        return Mount(source=str(place), target=mount.target, read_only=mount.read_only)

    async def _secret(
        self,
        stack: AsyncExitStack,
        mount: RunMount,
        place: Path,
        environment: dict[str, str],
    ) -> list[Mount]:
        value = await self._sources.secret(mount.identifier) if self._sources else None
        if value is None:
            if mount.required:
                raise BuildFailed(f"secret {mount.identifier[:80]}: not found", self._line)
            return []
        if len(value) > _SECRET_LIMIT:
            raise BuildFailed(f"secret {mount.identifier[:80]} is too large", self._line)
        if mount.environment:
            environment[mount.environment] = value.decode(errors="surrogateescape")
        if not mount.target:
            return []
        place.mkdir(mode=0o700)
        # It is never to reach a disk.
        mounts.mount_tmpfs(str(place), size=2 * _SECRET_LIMIT, mode=0o700)
        stack.callback(mounts.unmount, place, lazily=True)
        file = place / "secret"
        _write_secret(file, value, mount)
        return [Mount(source=str(file), target=mount.target, read_only=True)]

    async def _agent(
        self,
        stack: AsyncExitStack,
        mount: RunMount,
        number: int,
        environment: dict[str, str],
    ) -> list[Mount]:
        identifier = mount.identifier if mount.identifier != mount.target else "default"
        socket: Path | None = None
        if self._sources is not None:
            agent = self._sources.ssh_agent(identifier or "default")
            socket = await stack.enter_async_context(agent)
        if socket is None:
            if mount.required:
                raise BuildFailed(
                    f'no SSH key "{identifier or "default"}" forwarded from the client', self._line
                )
            return []
        target = mount.target or f"{_AGENTS}/ssh_agent.{number}"
        os.chown(socket, mount.uid, mount.gid)
        socket.chmod(mount.mode)
        environment.setdefault(_AGENT_VARIABLE, target)
        return [Mount(source=str(socket), target=target)]


def _write_secret(file: Path, value: bytes, mount: RunMount) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as opened:
        opened.write(value)
        os.fchown(descriptor, mount.uid, mount.gid)
        os.fchmod(descriptor, mount.mode)


def _fill(fresh: Path, origin: Path | None, mount: RunMount) -> None:
    if origin is None:
        return
    with paths.opened_folder(origin) as source, paths.opened_folder(fresh) as target:
        tree = SourceTree(source)
        copy_into(
            target, "/", tree, mount.source.strip("/"), ownership=Ownership(), times=clamped(None)
        )
