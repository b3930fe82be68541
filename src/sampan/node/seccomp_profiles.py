"""Seccomp profiles that pods name by a path in the node's own folder (`type: Localhost`).

What a profile says is the engine's to judge; here it is only found and read, never from outside
the folder.
"""

from pathlib import Path, PurePosixPath

from sampan.host.paths import opened_folder, read_in_root

_LIMIT = 4 << 20


class SeccompProfileUnusable(Exception):
    """The profile can't be loaded; the text is for the pod's status."""


def localhost_profile(folder: Path, name: str) -> str:
    """The JSON document at the path `name` below `folder`. Raises SeccompProfileUnusable."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise SeccompProfileUnusable(
            f"cannot load seccomp profile {name!r}: must be a relative path without '..'"
        )
    shown = f'cannot load seccomp profile "{folder / path}"'
    try:
        with opened_folder(folder) as root:
            text = read_in_root(root, name, _LIMIT).decode()
    except OSError as error:
        raise SeccompProfileUnusable(f"{shown}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SeccompProfileUnusable(f"{shown}: it is not UTF-8") from error
    # The engine's own words (`unconfined`) must not be taken from a file.
    if not text.lstrip().startswith("{"):
        raise SeccompProfileUnusable(f"{shown}: it is not a JSON object")
    return text
