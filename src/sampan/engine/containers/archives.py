"""Copying files out of containers and into them, running or not.

A container's files are its root with its volumes and binds in their places. They are put
together in a mount namespace that lasts as long as one copy does; every path of the container's
is resolved by the kernel as if that root were `/`, so that no symlink, even one that is swapped
meanwhile, leads out of it.
"""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from sampan.engine.containers import archive_reading, archive_writing, network_files
from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.contract import PathStatus
from sampan.engine.containers.mount_plan import PlannedMount
from sampan.engine.containers.parts import Parts
from sampan.engine.contract import EngineError, Forbidden, InvalidConfiguration, NotFound
from sampan.engine.images.bridge import ThreadReader
from sampan.engine.images.streams import decompressed
from sampan.engine.runtime.users import user_in_root
from sampan.host import mounts, paths
from sampan.host.identifier_maps import OwnerMaps
from sampan.host.own_mounts import in_own_mounts
from sampan.host.thread_pipe import ThreadPipe

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_Result = TypeVar("_Result")


class _View(msgspec.Struct, frozen=True):
    """Where a container's files are: its root and what lies over it, by target."""

    root: Path
    over: tuple[tuple[PlannedMount, str], ...]
    owners: OwnerMaps


async def stat_path(container: ManagedContainer, parts: Parts, path: str) -> PathStatus:
    """Raises NotFound."""
    view = await _view(container, parts)
    with _told_of(container, path):
        return await in_own_mounts(
            lambda: _in_root(view, lambda root: archive_reading.status_of(root, path))
        )


async def get_archive(
    container: ManagedContainer, parts: Parts, path: str
) -> tuple[PathStatus, AsyncIterator[bytes]]:
    """Raises NotFound."""
    status = await stat_path(container, parts, path)
    view = await _view(container, parts)

    def write(root: int, pipe: ThreadPipe) -> None:
        archive_reading.write_path(root, path, pipe, view.owners)

    return status, _streamed(view, write)


async def export(container: ManagedContainer, parts: Parts) -> AsyncIterator[bytes]:
    """Its root without what is mounted over it."""
    owners = await _owners(container, parts)
    view = _View(await parts.engine.root(container.identifier), (), owners)
    return _streamed(view, lambda root, pipe: archive_reading.write_root(root, pipe, owners))


async def put_archive(
    container: ManagedContainer,
    parts: Parts,
    path: str,
    archive: AsyncIterator[bytes],
    *,
    keep_kinds: bool,
    to_user: bool,
) -> None:
    """Unpack an archive; `to_user`: what is unpacked is the container's user's.

    Raises NotFound, InvalidConfiguration, Forbidden, EngineError.
    """
    view = await _view(container, parts)
    reader = ThreadReader(archive)

    def work(root: int) -> None:
        owner = None
        if to_user and container.record.configuration.user:
            user = user_in_root(view.root, container.record.configuration.user, ())
            owner = (user.uid, user.gid)
        folder = _target_folder(container, view, root, path)
        try:
            archive_writing.unpack(
                decompressed(reader),
                root,
                folder,
                keep_kinds=keep_kinds,
                owner=owner,
                owners=view.owners,
            )
        finally:
            os.close(folder)

    with _told_of(container, path):
        await in_own_mounts(lambda: _in_root(view, work))


async def _view(container: ManagedContainer, parts: Parts) -> _View:
    if container.keeper:
        return await _view_of_kept(container, parts)
    over = [(mount, mount.source) for mount in network_files.mounts(container, parts)]
    for mount in container.record.mounts:
        if mount.kind == "bind":
            over.append((mount, mount.source))
        elif mount.kind == "volume":
            over.append((mount, parts.volumes.inspect(mount.name).mountpoint))
    owners = await _owners(container, parts)
    return _View(await parts.engine.root(container.identifier), tuple(over), owners)


async def _view_of_kept(container: ManagedContainer, parts: Parts) -> _View:
    """Another engine's mounts are in its own mount namespace: they are seen while it runs."""
    owners = await _owners(container, parts)
    if container.running:
        return _View(Path(f"/proc/{container.process}/root"), (), owners)
    return _View(await parts.engine.root(container.identifier), (), owners)


async def _owners(container: ManagedContainer, parts: Parts) -> OwnerMaps:
    """Whose user namespace its files are written in."""
    written = await parts.engine.written(container.identifier)
    return OwnerMaps(written.uid_maps, written.gid_maps)


def _in_root(view: _View, work: Callable[[int], _Result]) -> _Result:
    """Do something with a descriptor of the root, all mounts being in place."""
    with paths.opened_folder(view.root) as root:
        for mount, whole in view.over:
            with _part(whole, mount.subpath) as source:
                target = _mount_point(root, mount.target, source, view.owners)
                try:
                    mounts.mount_bind(source, f"/proc/self/fd/{target}")
                finally:
                    os.close(target)
            if not mount.writable:
                # What is mounted now is found anew: the descriptor is of what it covers.
                with paths.opened_in_root(root, mount.target, os.O_PATH) as mounted:
                    mounts.make_read_only(f"/proc/self/fd/{mounted}")
        return work(root)


@contextmanager
def _part(whole: str, subpath: str) -> Iterator[str]:
    """What is mounted of a volume; a link in its place does not lead out of the volume."""
    if not subpath:
        yield whole
        return
    with paths.opened_folder(whole) as root, paths.opened_in_root(root, subpath, os.O_PATH) as part:
        yield f"/proc/self/fd/{part}"


def _mount_point(root: int, target: str, source: str, owners: OwnerMaps) -> int:
    """Where something is mounted; it is made if it is not there before the first start."""
    if os.path.isdir(source):
        return archive_writing.folder_made(root, target, owners.outside(0, 0))
    return archive_writing.file_made(root, target, owners.outside(0, 0))


def _target_folder(container: ManagedContainer, view: _View, root: int, path: str) -> int:
    try:
        folder = paths.open_in_root(root, path or "/", _FOLDER)
    except NotADirectoryError as error:
        raise InvalidConfiguration("extraction point is not a directory") from error
    place = os.readlink(f"/proc/self/fd/{folder}").removeprefix(str(view.root)) or "/"
    over = [mount for mount, _ in view.over if _lies_in(place, mount.target)]
    refusal = ""
    if over and not max(over, key=lambda mount: len(mount.target)).writable:
        refusal = "mounted volume is marked read-only"
    elif not over and container.record.host.read_only_root:
        refusal = "container rootfs is marked read-only"
    if refusal:
        os.close(folder)
        raise Forbidden(refusal)
    return folder


def _lies_in(place: str, target: str) -> bool:
    return place == target or place.startswith(f"{target}/")


async def _streamed(view: _View, write: Callable[[int, ThreadPipe], None]) -> AsyncIterator[bytes]:
    """What a thread writes, piece by piece, at the reader's pace."""
    pipe = ThreadPipe()

    def work() -> None:
        try:
            _in_root(view, lambda root: write(root, pipe))
        finally:
            pipe.end()

    working = asyncio.ensure_future(in_own_mounts(work))
    try:
        async for piece in pipe.pieces():
            yield piece
        await working
    finally:
        pipe.leave()
        await asyncio.wait((working,))
        if not working.cancelled():
            working.exception()


@contextmanager
def _told_of(container: ManagedContainer, path: str) -> Iterator[None]:
    """What the kernel says of a path, in Docker's words."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(
            f"Could not find the file {path[:300]} in container {container.record.name}"
        ) from error
    except OSError as error:
        if error.errno == errno.EROFS:
            raise Forbidden("mounted volume is marked read-only") from error
        raise EngineError(f"{path[:300]}: {error.strerror or error}") from error
