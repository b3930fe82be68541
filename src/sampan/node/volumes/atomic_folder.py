"""A folder whose files change all at once.

The files lie in a hidden folder with a name of its own; `..data` is a link to it that is
replaced by rename(2), and each visible name is a link through `..data`. A reader sees all old
files or all new ones. Only the node writes here; containers see it read-only.
"""

import os
import shutil
from pathlib import Path

from sampan.node.volumes.payload import Payload

DATA_LINK = "..data"


def write(folder: Path, files: Payload, version: str, group: int | None = None) -> bool:
    """Make the folder hold exactly these files; True when anything changed.

    `version` names the hidden folder and must be new. Raises OSError.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    link = folder / DATA_LINK
    before = _target(link)
    if before is not None and _holds(folder / before, files):
        return False
    hidden = folder / f"..{version}"
    hidden.mkdir(mode=0o755)
    for path, file in files.items():
        _write_file(hidden / path, file.content, file.mode, file.owner, group)
    temporary = folder / "..data_new"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(hidden.name)
    temporary.replace(link)
    _link_names(folder, {path.split("/")[0] for path in files})
    if before is not None:
        shutil.rmtree(folder / before, ignore_errors=True)
    return True


def _target(link: Path) -> str | None:
    return os.readlink(link) if link.is_symlink() else None


def _holds(hidden: Path, files: Payload) -> bool:
    present = {
        str(path.relative_to(hidden)): path for path in hidden.rglob("*") if not path.is_dir()
    }
    return present.keys() == files.keys() and all(
        present[name].read_bytes() == file.content for name, file in files.items()
    )


def _write_file(
    path: Path, content: bytes, mode: int, owner: int | None, group: int | None
) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)
        os.fchown(file.fileno(), -1 if owner is None else owner, -1 if group is None else group)
        os.fchmod(file.fileno(), mode if group is None else mode | 0o040)


def _link_names(folder: Path, names: set[str]) -> None:
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
    for name in names:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"{DATA_LINK}/{name}")
