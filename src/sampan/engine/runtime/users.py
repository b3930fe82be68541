"""Who a container's process runs as: `uid[:gid]` or names from the image's passwd and group.

The rules are those of the OCI image specification (config, `User`) and of passwd(5) and
group(5), but for one: digits are always a number. An image whose passwd has a root *named* `1000`
must not make a root of a pod's `runAsUser: 1000`; nor may a number that wraps around 32 bits.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from sampan.engine.contract import InvalidConfiguration
from sampan.host import paths

_FILE_LIMIT = 1 << 20
_HIGHEST = 2**32 - 2
_LONGEST_NUMBER = 10
_PASSWD_FIELDS, _GROUP_FIELDS = 7, 4


class ResolvedUser(msgspec.Struct, frozen=True):
    """`home` is empty when the image's passwd does not say."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = ""


def resolve_user(
    user: str, passwd: str, group: str, more_groups: Iterable[int | str]
) -> ResolvedUser:
    """Numbers for a user as configured; "" is root. Pure. Raises InvalidConfiguration."""
    more = {it if isinstance(it, int) else _group(it, group) for it in more_groups}
    name, _, group_name = (user or "0").partition(":")
    entry = _find(passwd, name, fields=_PASSWD_FIELDS)
    if entry is not None:
        uid, gid, home = int(entry[2]), int(entry[3]), entry[5]
    elif _is_digits(name):
        uid, gid, home = _number(name), 0, ""
    else:
        raise InvalidConfiguration(
            f"unable to find user {name}: no matching entries in passwd file"
        )
    if group_name:
        gid = _group(group_name, group)
        groups: set[int] = set()
    else:
        groups = set(_memberships(group, entry[0])) if entry is not None else set()
    return ResolvedUser(uid, gid, tuple(sorted(groups | more)), home)


def user_in_root(root: Path, user: str, more_groups: Iterable[int | str]) -> ResolvedUser:
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


def _group(name: str, text: str) -> int:
    entry = _find(text, name, fields=_GROUP_FIELDS)
    if entry is not None:
        return int(entry[2])
    if _is_digits(name):
        return _number(name)
    raise InvalidConfiguration(f"unable to find group {name}: no matching entries in group file")


def _number(digits: str) -> int:
    if not _fits(digits):
        raise InvalidConfiguration(f"{digits[:40]!r} is too large for a user or a group")
    return int(digits)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _fits(digits: str) -> bool:
    return len(digits) <= _LONGEST_NUMBER and int(digits) <= _HIGHEST


def _entries(text: str, fields: int) -> Iterable[list[str]]:
    for line in text.splitlines():
        entry = line.split(":")
        numbers = entry[2:4] if fields == _PASSWD_FIELDS else entry[2:3]
        if len(entry) == fields and all(_is_digits(it) and _fits(it) for it in numbers):
            yield entry


def _find(text: str, name: str, *, fields: int) -> list[str] | None:
    """The first entry of this name, or of this number if it is one."""
    number = _number(name) if _is_digits(name) else None
    for entry in _entries(text, fields):
        if entry[0] == name if number is None else int(entry[2]) == number:
            return entry
    return None


def _memberships(text: str, name: str) -> Iterable[int]:
    return (int(entry[2]) for entry in _entries(text, _GROUP_FIELDS) if name in entry[3].split(","))
