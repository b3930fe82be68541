"""Doing what a COPY or ADD says: finding its files, telling them by their contents, putting them
into a root. All of it blocks: call it in a thread.
"""

import hashlib
import posixpath
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from sampan.engine.build.copy_step import CopyStep
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.patterns import IgnoreRule, has_wildcard
from sampan.engine.build.source_tree import SourceTree, digest_of_source
from sampan.engine.build.tree_copy import Ownership, clamped, copy_into, is_folder
from sampan.engine.build.unpacking import is_archive, unpack_into
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.runtime.users import user_in_root
from sampan.host import paths


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder to be copied; `kept` is the part of its path that is kept."""

    tree: SourceTree
    path: str
    kept: str = ""
    is_folder: bool
    is_archive: bool = False
    digest: str


def find(step: CopyStep, tree: SourceTree, gathered: SourceTree | None) -> list[Found]:
    """What the step names in its tree, and all that was gathered for it alone.

    Raises BuildFailed, OSError.
    """
    found = [one for source in step.sources for one in _matches(step, tree, source)]
    if gathered is not None:
        unpacks = step.unpacks is True
        names = gathered.matches("*")
        found += [_found(step, gathered, name, "", may_unpack=unpacks) for name in names]
    if not found:
        raise step.fail("no source files were specified")
    if len(found) > 1 and not step.folder_wanted and not step.keeps_parents:
        raise step.fail(
            "when copying more than one source file, the destination must be a directory and end "
            "with a /"
        )
    return found


def _matches(step: CopyStep, tree: SourceTree, source: str) -> Iterable[Found]:
    before, pivot, rest = source.partition("/./")
    pattern = posixpath.normpath(source).lstrip("/")
    paths_found = tree.matches(pattern)
    if not paths_found and not has_wildcard(pattern):
        missing = f"stat {source.lstrip('/')[:200]}: file does not exist"
        if step.origin:
            raise step.fail(missing)
        raise step.fail(f"file not found in build context or excluded by .dockerignore: {missing}")
    dropped = posixpath.normpath(before).lstrip("/") if pivot and rest else ""
    for path in paths_found:
        kept = path.removeprefix(dropped).lstrip("/") if step.keeps_parents else ""
        may_unpack = step.name == "ADD" and step.unpacks is not False
        yield _found(step, tree, path, kept, may_unpack=may_unpack)


def _found(step: CopyStep, tree: SourceTree, path: str, kept: str, *, may_unpack: bool) -> Found:
    folder = tree.is_folder(path)
    return Found(
        tree=tree,
        path=path,
        kept=kept,
        is_folder=folder,
        is_archive=may_unpack and tree.is_file(path) and _holds_archive(tree, path),
        digest=digest_of_source(tree, path),
    )


def _holds_archive(tree: SourceTree, path: str) -> bool:
    with tree.opened(path) as file:
        return is_archive(file)


def hash_told(found: Sequence[Found]) -> str:
    """How an image's history names what was copied."""
    shown = [f"{'dir' if one.is_folder else 'file'}:{one.digest}" for one in found]
    if len(shown) == 1:
        return shown[0]
    return "multi:" + hashlib.sha256(",".join(shown).encode()).hexdigest()


def copy(
    step: CopyStep, found: Sequence[Found], root: Path, accounts: Path, latest: int | None
) -> None:
    """Copy into an image's root; names of users are those of `accounts`, a root as well.

    Raises BuildFailed, OSError.
    """
    ownership = _ownership(step, accounts)
    times = clamped(latest)
    with paths.opened_folder(root) as descriptor:
        into_folder = step.folder_wanted or is_folder(descriptor, step.destination)
        for one in found:
            if one.is_archive:
                _unpack(step, one, descriptor, ownership, latest)
                continue
            target = posixpath.join(step.destination, one.kept)
            if into_folder and not one.is_folder and not one.kept:
                target = posixpath.join(target, posixpath.basename(one.path))
            copy_into(descriptor, target, one.tree, one.path, ownership=ownership, times=times)


def _unpack(
    step: CopyStep, found: Found, root: int, ownership: Ownership, latest: int | None
) -> None:
    with found.tree.opened(found.path) as file:
        unpack_into(
            root,
            step.destination,
            file,
            owner=(ownership.uid, ownership.gid) if step.owner else None,
            times=lambda time: time if latest is None else min(time, latest),
        )


def _ownership(step: CopyStep, accounts: Path) -> Ownership:
    if not step.owner:
        return Ownership(mode=step.mode)
    try:
        user = user_in_root(accounts, step.owner, ())
    except InvalidConfiguration as error:
        owner, _, group = step.owner.partition(":")
        is_group = "group" in str(error)
        kind, what, name = ("gid", "group", group) if is_group else ("uid", "user", owner)
        raise BuildFailed(
            "unable to convert uid/gid chown string to host mapping: "
            f"can't find {kind} for {what} {name}: no such {what}: {name}",
            step.line,
        ) from error
    # A number without a group means the same number for the group.
    gid = user.uid if step.owner.isdecimal() else user.gid
    return Ownership(user.uid, gid, step.mode)


def copy_tree(source: Path, ignored: tuple[IgnoreRule, ...], target: Path) -> None:
    """A folder without what is ignored, into another one. Raises BuildFailed, OSError."""
    with paths.opened_folder(source) as origin, paths.opened_folder(target) as root:
        tree = SourceTree(origin, ignored)
        copy_into(root, "/", tree, "", ownership=Ownership(), times=clamped(None))
