"""The folder that a container starts in: made if it is missing, refused if it leads outside.

The runtime enters it as a path. One that is, or leads to, /proc/self/fd/N would be a descriptor
of the runtime's own, which may be a folder of the host.
"""

import os
import posixpath
from pathlib import Path

from sampan.engine.contract import InvalidConfiguration
from sampan.host import paths

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


def checked_path(folder: str) -> str:
    """The path in its plain form. Raises InvalidConfiguration."""
    plain = posixpath.normpath(folder)
    plain = "/" + plain.lstrip("/") if plain.startswith("//") else plain
    if not plain.startswith("/"):
        raise InvalidConfiguration(
            f"the working directory '{folder}' is invalid, it needs to be an absolute path"
        )
    if _is_in_proc(plain):
        raise InvalidConfiguration(f"the working directory {plain!r} lies in /proc")
    return plain


def make_working_directory(root: Path, folder: str, owner: tuple[int, int] = (0, 0)) -> None:
    """Make what is missing of the path below a container's root, following its own symlinks.

    What is made belongs to `owner`, the container's root as it is known outside.

    Raises InvalidConfiguration when these lead into /proc, or through what is no folder.
    """
    with paths.opened_folder(root) as top:
        way = ""
        for part in folder.strip("/").split("/"):
            way = posixpath.join(way, part)
            if way:
                _enter(top, root, way, owner)


def _enter(top: int, root: Path, way: str, owner: tuple[int, int]) -> None:
    try:
        descriptor = paths.open_in_root(top, way, _FOLDER)
    except FileNotFoundError:
        _make(top, way, owner)
        return
    except OSError as error:
        raise InvalidConfiguration(
            f"the working directory /{way} can't be used: {error.strerror}"
        ) from error
    try:
        place = os.readlink(f"/proc/self/fd/{descriptor}").removeprefix(str(root)) or "/"
    finally:
        os.close(descriptor)
    if _is_in_proc(place):
        raise InvalidConfiguration(f"the working directory /{way} leads into /proc")


def _make(top: int, way: str, owner: tuple[int, int]) -> None:
    parent, name = posixpath.split(way)
    descriptor = paths.open_in_root(top, parent or ".", _FOLDER)
    try:
        os.mkdir(name, 0o755, dir_fd=descriptor)
        os.chown(name, *owner, dir_fd=descriptor, follow_symlinks=False)
    except FileExistsError as error:
        # A symlink that leads nowhere.
        raise InvalidConfiguration(f"the working directory /{way} leads nowhere") from error
    finally:
        os.close(descriptor)


def _is_in_proc(path: str) -> bool:
    return path == "/proc" or path.startswith("/proc/")
