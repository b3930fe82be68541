"""What a build is given: a folder, packed as it is sent; standard input; or where a URL leads."""

import io
import itertools
import os
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import click
import msgspec

from sampan.engine.build.patterns import is_ignored, parse_ignore_rules

_PIECE = 1 << 20
_OUTSIDE = ".sampan-dockerfile"
_STANDARD_INPUT = "-"
_REMOTE = ("http://", "https://", "git://", "git@")
# gzip, bzip2, xz and zstd; a plain tar archive has its name in the first header.
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
_TAR_NAME = slice(257, 262)


class BuildContext(msgspec.Struct, frozen=True, kw_only=True):
    """A tar archive in pieces, where the Dockerfile is in it; or a URL for the engine."""

    dockerfile: str
    pieces: Iterable[bytes] = ()
    remote: str = ""


def build_context(place: str, dockerfile: str) -> BuildContext:
    """`dockerfile` is a path of this machine, `-`, or "" for the usual one.

    Raises UsageError, OSError; reading the pieces raises BuildFailed, OSError.
    """
    if place == _STANDARD_INPUT:
        if dockerfile == _STANDARD_INPUT:
            raise click.UsageError(
                "invalid argument: can't use stdin for both build context and dockerfile"
            )
        return _from_stream(sys.stdin.buffer, dockerfile)
    if place.startswith(_REMOTE):
        return BuildContext(dockerfile=dockerfile or "Dockerfile", remote=place)
    folder = Path(place)
    if not folder.is_dir():
        raise click.UsageError(f"unable to prepare context: path {place!r} not found")
    if dockerfile == _STANDARD_INPUT:
        content = sys.stdin.buffer.read()
        return BuildContext(dockerfile=_OUTSIDE, pieces=_packed(folder, content))
    inside = _place_of(Path(dockerfile) if dockerfile else None, folder)
    content = Path(dockerfile).read_bytes() if inside == _OUTSIDE else b""
    return BuildContext(dockerfile=inside, pieces=_packed(folder, content))


def _from_stream(stream: IO[bytes], dockerfile: str) -> BuildContext:
    """An archive as it comes, or else a Dockerfile alone."""
    start = stream.read(512)
    rest = iter(lambda: stream.read(_PIECE), b"")
    if start.startswith(_COMPRESSED) or start[_TAR_NAME] == b"ustar":
        pieces = itertools.chain([start], rest)
        return BuildContext(dockerfile=dockerfile or "Dockerfile", pieces=pieces)
    content = b"".join([start, *rest])
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as packed:
        _add_content(packed, "Dockerfile", content)
    return BuildContext(dockerfile="Dockerfile", pieces=[archive.getvalue()])


def _add_content(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    archive.addfile(header, io.BytesIO(content))


def _place_of(dockerfile: Path | None, context: Path) -> str:
    """Where the Dockerfile is in the context; one from elsewhere gets a place in it."""
    if dockerfile is None:
        return "Dockerfile"
    try:
        return str(dockerfile.resolve().relative_to(context.resolve()))
    except ValueError:
        return _OUTSIDE


def _packed(context: Path, dockerfile: bytes) -> Iterator[bytes]:
    """The context as a tar archive, without what .dockerignore names; the engine reads that
    again. Raises BuildFailed, OSError."""
    pieces = _Pieces()
    with tarfile.open(fileobj=pieces, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path, name in _files(context):
            archive.add(path, name, recursive=False)
            yield from pieces.taken()
        if dockerfile:
            _add_content(archive, _OUTSIDE, dockerfile)
    yield from pieces.taken()


def _files(context: Path) -> Iterator[tuple[str, str]]:
    rules = parse_ignore_rules(_ignore_file(context))
    # Where a rule brings something back, whole folders can't be passed over.
    prunes = not any(rule.keeps for rule in rules)
    for folder, folders, files in os.walk(context):
        inside = os.path.relpath(folder, context)
        prefix = "" if inside == "." else f"{inside}/"
        folders.sort()
        for name in sorted([*folders, *files]):
            path = prefix + name
            needed = path in ("Dockerfile", ".dockerignore")
            if not needed and is_ignored(path, rules):
                if prunes and name in folders:
                    folders.remove(name)
                continue
            yield os.path.join(folder, name), path


def _ignore_file(context: Path) -> str:
    try:
        return (context / ".dockerignore").read_text(errors="replace")
    except FileNotFoundError:
        return ""


class _Pieces(io.RawIOBase):
    """What tarfile writes to: kept until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[bytes] = []

    def write(self, data: Any) -> int:
        self._kept.append(bytes(data))
        return len(data)

    def taken(self) -> Iterator[bytes]:
        kept, self._kept = self._kept, []
        data = b"".join(kept)
        for start in range(0, len(data), _PIECE):
            yield data[start : start + _PIECE]
