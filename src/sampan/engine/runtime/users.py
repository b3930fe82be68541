"""Who a container's process runs as: `uid[:gid]` or names from the image's passwd and group.

The rules are those of the OCI image specification (config, `User`) and of passwd(5) and
group(5).
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from sampan.engine.contract import InvalidConfiguration
from sampan.host import paths

_FILE_LIMIT = 1 << 20
_HIGHEST = 2**32 - 2


class ResolvedUser(msgspec.Struct, frozen=True):
    """`home` is empty when the image's passwd does not say."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = ""


def resolve_user(user: str, passwd: str, group: str, more_groups: Iterable[int]) -> ResolvedUser:
    """Numbers for a user as configured; "" is root. Pure. Raises InvalidConfiguration."""
    name, _, group_name = (user or "0").partition(":")
    entry = _find(passwd, name, fields=7)
    if entry is not None:
        uid, gid, home = int(entry[2]), int(entry[3]), entry[5]
    elif name.isdecimal():
        uid, gid, home = _number(name, user), 0, ""
    else:
        raise InvalidConfiguration(f"user {name!r} is not in the image's /etc/passwd")
    if group_name:
        gid = _group(group_name, group, user)
        groups: set[int] = set()
    else:
        groups = set(_memberships(group, entry[0])) if entry is not None else set()
    return ResolvedUser(uid, gid, tuple(sorted(groups.union(more_groups))), home)


def user_in_root(root: Path, user: str, more_groups: Iterable[int]) -> ResolvedUser:
    """The same with the files that lie in an image's root. Raises OSError too."""
    with paths.opened_folder(root) as descriptor:
        passwd = _account_file(descriptor, "etc/passwd")
        group = _account_file(descriptor, "etc/group")
    return resolve_user(user, passwd, group, more_groups)


def _account_file(root: int, path: str) -> str:
    try:
        return paths.read_in_root(root, path, _FILE_LIMIT).decode(errors="replace")
    except FileNotFoundError:
        return ""


def _group(name: str, text: str, user: str) -> int:
    entry = _find(text, name, fields=4)
    if entry is not None:
        return int(entry[2])
    if name.isdecimal():
        return _number(name, user)
    raise InvalidConfiguration(f"group {name!r} is not in the image's /etc/group")


def _number(text: str, user: str) -> int:
    number = int(text) if len(text) <= 10 else _HIGHEST + 1
    if number > _HIGHEST:
        raise InvalidConfiguration(f"{user!r} has a number that is too large")
    return number


def _entries(text: str, fields: int) -> Iterable[list[str]]:
    for line in text.splitlines():
        entry = line.split(":")
        if len(entry) == fields and entry[2].isdecimal() and (fields < 7 or entry[3].isdecimal()):
            yield entry


def _find(text: str, name: str, *, fields: int) -> list[str] | None:
    """The entry of this name, or else of this number."""
    by_number = None
    for entry in _entries(text, fields):
        if entry[0] == name:
            return entry
        if entry[2] == name and by_number is None:
            by_number = entry
    return by_number


def _memberships(text: str, name: str) -> Iterable[int]:
    return (int(entry[2]) for entry in _entries(text, 4) if name in entry[3].split(","))
