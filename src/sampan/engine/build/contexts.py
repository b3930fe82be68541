"""Bringing a build's context to a folder of this machine."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sampan.engine.build.contract import (
    ArchiveContext,
    Context,
    EmptyContext,
    FolderContext,
    RemoteContext,
)
from sampan.engine.build.copy_step import is_git
from sampan.engine.build.download import download
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.unpacking import is_archive, unpack_into
from sampan.engine.build.workspace import Workspace
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.bridge import ThreadReader
from sampan.engine.images.streams import Readable
from sampan.host import paths


@asynccontextmanager
async def opened_context(context: Context, workspace: Workspace) -> AsyncIterator[Path]:
    """The folder of a context, for a `with` block.

    Raises BuildFailed, InvalidConfiguration, OSError.
    """
    if isinstance(context, FolderContext):
        if not context.path.is_dir():
            raise InvalidConfiguration(f"unable to prepare context: path {context.path} not found")
        yield context.path
        return
    async with workspace.scratch() as folder:
        content = folder / "context"
        content.mkdir(mode=0o755)
        match context:
            case ArchiveContext():
                await asyncio.to_thread(_unpack, content, ThreadReader(context.stream))
            case RemoteContext():
                await _fetch(context.url, folder, content)
            case EmptyContext():
                pass
        yield content


def _unpack(folder: Path, stream: Readable) -> None:
    with paths.opened_folder(folder) as root:
        unpack_into(root, "/", stream, owner=(os.getuid(), os.getgid()), keeps_whiteouts=True)


async def _fetch(url: str, folder: Path, content: Path) -> None:
    """An archive is the context itself; any other file is its Dockerfile."""
    if is_git(url):
        raise BuildFailed(
            f"unable to prepare context: {url[:100]} is a git repository, which is not fetched "
            "here: clone it and build from the folder"
        )
    if not url.startswith(("http://", "https://")):
        raise InvalidConfiguration(f"remoteURL ({url[:100]}) could not be recognized as URL")
    try:
        file = await download(url, folder)
    except BuildFailed as error:
        raise BuildFailed(f"error downloading remote context {url}: {error}") from error
    await asyncio.to_thread(_place, file, content)


def _place(file: Path, content: Path) -> None:
    with file.open("rb") as opened:
        if is_archive(opened):
            _unpack(content, opened)
            return
    file.rename(content / "Dockerfile")
