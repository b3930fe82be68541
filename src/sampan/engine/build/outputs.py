"""Where the result of a build goes: the machine's store, an archive, files. Nothing is done here.

What is to go to the client is given with the way it is taken there.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal

import msgspec

from sampan.engine.build.file_tree import FileTree

TakePieces = Callable[[AsyncIterator[bytes]], Awaitable[None]]
TakeFiles = Callable[[FileTree], Awaitable[None]]


class StoreOutput(msgspec.Struct, frozen=True, kw_only=True):
    """An image in the machine's store, under `names`; `pushes` takes it to their registries."""

    names: tuple[str, ...] = ()
    pushes: bool = False


class ArchiveOutput(msgspec.Struct, frozen=True, kw_only=True):
    """The image as a tar: of an OCI layout, or as Docker loads it."""

    form: Literal["docker", "oci"]
    take: TakePieces
    names: tuple[str, ...] = ()


class TarOutput(msgspec.Struct, frozen=True, kw_only=True):
    """The root filesystem as a tar; `splits` gives each of several platforms a folder."""

    take: TakePieces
    splits: bool = True


class FilesOutput(msgspec.Struct, frozen=True, kw_only=True):
    """The root filesystem file by file."""

    take: TakeFiles
    splits: bool = True


Output = StoreOutput | ArchiveOutput | TarOutput | FilesOutput
