"""COPY: which files, from where, to where, as whose. The copying itself is `tree_copy`'s."""

import posixpath
from pathlib import Path

import msgspec

from sampan.engine.build.dockerfile import Instruction
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.expansion import expand, words
from sampan.engine.build.metadata import Scope, working_folder
from sampan.engine.build.source_tree import SourceTree, digest_of_source
from sampan.engine.build.tree_copy import Ownership, clamped, copy_into, is_folder
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.documents import ExecutionConfiguration
from sampan.engine.runtime.users import user_in_root
from sampan.host import paths

_FLAGS = {"from", "chown", "chmod"}


class CopyStep(msgspec.Struct, frozen=True, kw_only=True):
    """`origin` is a stage or image, "" the context; `folder_wanted` that the destination
    must be a folder."""

    line: int
    origin: str
    sources: tuple[str, ...]
    destination: str
    folder_wanted: bool
    owner: str
    mode: int | None


def parse_copy(
    instruction: Instruction, execution: ExecutionConfiguration, scope: Scope
) -> CopyStep:
    """Raises BuildFailed."""
    unknown = instruction.flags.keys() - _FLAGS
    if unknown:
        raise BuildFailed(f"COPY has no flag --{min(unknown)}", instruction.line)
    listed = instruction.json_form()
    if listed is None:
        listed = words(instruction.text, scope.variables, scope.escape, instruction.line)
    if len(listed) < 2:
        raise BuildFailed("COPY wants sources and a destination", instruction.line)
    flags = {
        name: expand(value, scope.variables, scope.escape, instruction.line)
        for name, value in instruction.flags.items()
    }
    *sources, destination = listed
    return CopyStep(
        line=instruction.line,
        origin=flags.get("from", ""),
        sources=tuple(sources),
        destination=working_folder(execution, destination),
        folder_wanted=len(sources) > 1 or destination.endswith(("/", "/.")) or destination == ".",
        owner=flags.get("chown", ""),
        mode=_mode(flags.get("chmod", ""), instruction.line),
    )


def _mode(text: str, line: int) -> int | None:
    if not text:
        return None
    if not (text.isdecimal() and len(text) <= 5 and set(text) <= set("01234567")):
        raise BuildFailed(f"--chmod wants an octal number, not {text[:40]!r}", line)
    return int(text, 8)


def digests(step: CopyStep, tree: SourceTree) -> list[tuple[str, str]]:
    """The paths that are copied, each with the digest of what is there. Blocks.

    Raises BuildFailed, OSError.
    """
    found = [path for source in step.sources for path in tree.matches(source, step.line)]
    return [(path, digest_of_source(tree, path)) for path in found]


def copy(
    step: CopyStep, tree: SourceTree, sources: list[str], root: Path, latest: int | None
) -> None:
    """Copy into an image's root. Blocks. Raises BuildFailed, OSError."""
    ownership = _ownership(step, root)
    times = clamped(latest)
    with paths.opened_folder(root) as descriptor:
        into_folder = (
            step.folder_wanted or len(sources) > 1 or is_folder(descriptor, step.destination)
        )
        for source in sources:
            target = step.destination
            if into_folder and not tree.is_folder(source):
                target = posixpath.join(target, posixpath.basename(source))
            copy_into(descriptor, target, tree, source, ownership=ownership, times=times)


def _ownership(step: CopyStep, root: Path) -> Ownership:
    if not step.owner:
        return Ownership(mode=step.mode)
    try:
        user = user_in_root(root, step.owner, ())
    except InvalidConfiguration as error:
        raise BuildFailed(f"--chown: {error}", step.line) from error
    # A number without a group means the same number for the group.
    gid = user.uid if step.owner.isdecimal() else user.gid
    return Ownership(user.uid, gid, step.mode)
