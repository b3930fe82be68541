"""Copying between this machine and a container, by docker's rules of what goes where.

What a container sends is not trusted: it is unpacked through descriptors, below the folder that
the user named and never beside it.
"""

import base64
import contextlib
import json
import os
import posixpath
import stat
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from sampan.engine.containers.archive_writing import unpack
from sampan.engine.contract import EngineError
from sampan.engine.images.streams import decompressed
from sampan.faces.cli.engine.api_client import EngineClient, EngineRefused
from sampan.faces.cli.engine.asking import EngineFailure

_STATUS = "x-docker-container-path-stat"
# Go's fs.FileMode, which Docker's API tells.
_IS_FOLDER, _IS_SYMLINK = 1 << 31, 1 << 27
_NOT_FOUND = 404
_MOST_SYMLINKS = 16
_STREAM = "-"


class _Status:
    """What a path in a container is."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.link_target = str(document.get("linkTarget") or "")
        mode = int(document["mode"])
        self.is_folder = bool(mode & _IS_FOLDER)
        self.is_symlink = bool(mode & _IS_SYMLINK)


def _status_in(headers: dict[str, str]) -> _Status:
    return _Status(json.loads(base64.b64decode(headers[_STATUS])))


class CopyOut:
    def __init__(self, client: EngineClient, container: str, keeps_owners: bool) -> None:
        self._client = client
        self._path = f"/containers/{container}/archive"
        self._owner = None if keeps_owners else (os.geteuid(), os.getegid())

    def copy(self, source: str, target: str, follows: bool) -> int:
        """How many bytes have come."""
        if follows:
            source = self._followed(source)
        answer = self._client.open("GET", self._path, {"path": source})
        counted = _Counted(answer.pieces())
        with contextlib.closing(answer):
            if target == _STREAM:
                _to_terminal_never(sys.stdout.buffer)
                for piece in counted:
                    sys.stdout.buffer.write(piece)
                return 0
            only_content = _names_content(source)
            self._unpack(counted, _status_in(answer.headers), target, only_content)
        return counted.count

    def _followed(self, source: str) -> str:
        """Where a symlink leads in the end."""
        for _ in range(_MOST_SYMLINKS):
            answer = self._client.open("HEAD", self._path, {"path": source})
            answer.close()
            status = _status_in(answer.headers)
            if not status.is_symlink:
                return source
            source = posixpath.join(posixpath.dirname(source), status.link_target)
        raise EngineFailure(f"too many symlinks at {source}")

    def _unpack(
        self, pieces: Iterable[bytes], status: _Status, target: str, only_content: bool
    ) -> None:
        place = Path(target)
        if place.is_dir():
            self._unpack_in(pieces, place)
            return
        if status.is_folder and place.exists():
            raise EngineFailure(f"cannot copy directory to file {target!r}: it is there already")
        if target.endswith("/") and not status.is_folder:
            raise EngineFailure(f"destination directory {target!r} must exist to copy a file")
        if not place.parent.is_dir():
            raise EngineFailure(f"no such directory: {place.parent}")
        if status.is_folder and only_content:
            place.mkdir()
            self._unpack_in(pieces, place)
            return
        # Beside the target, so that it appears there whole, and with another name.
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".copied-") as name:
            self._unpack_in(pieces, Path(name))
            next(Path(name).iterdir()).rename(place)

    def _unpack_in(self, pieces: Iterable[bytes], folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            stream = decompressed(_Reader(iter(pieces)))
            unpack(stream, descriptor, descriptor, keep_kinds=True, owner=self._owner)
        except (EngineError, OSError) as error:
            raise EngineFailure(str(error)) from error
        finally:
            os.close(descriptor)


class CopyIn:
    def __init__(self, client: EngineClient, container: str, keeps_owners: bool) -> None:
        self._client = client
        self._path = f"/containers/{container}/archive"
        self._keeps_owners = keeps_owners

    def copy(self, source: str, target: str, follows: bool) -> int:
        """How many bytes were sent."""
        target = self._resolved(target or "/")
        status = self._status(target)
        if source == _STREAM:
            if status is None or not status.is_folder:
                raise EngineFailure(f"destination {target!r} must be a directory")
            pieces: Iterable[bytes] = iter(lambda: sys.stdin.buffer.read(1 << 20), b"")
            return self._send(pieces, target)
        origin = os.path.realpath(source) if follows else source
        folder, name = self._destination(origin, source, target, status)
        with _archived(origin, name) as pieces:
            return self._send(pieces, folder)

    def _destination(
        self, origin: str, source: str, target: str, status: _Status | None
    ) -> tuple[str, str]:
        """The folder to unpack in, and the name there."""
        try:
            is_folder = stat.S_ISDIR(os.lstat(origin).st_mode)
        except OSError as error:
            raise EngineFailure(f"{source}: {error.strerror}") from error
        if status is not None and status.is_folder:
            return target, "." if _names_content(source) else os.path.basename(
                os.path.abspath(source)
            )
        if status is not None and is_folder:
            raise EngineFailure(f"cannot copy directory to file {target!r}: it is there already")
        if status is None and target.endswith("/") and not is_folder:
            raise EngineFailure(f"destination directory {target!r} must exist to copy a file")
        folder, name = posixpath.split(target.rstrip("/"))
        return folder or "/", name

    def _resolved(self, target: str) -> str:
        """Where a symlink in the container leads in the end."""
        for _ in range(_MOST_SYMLINKS):
            status = self._status(target)
            if status is None or not status.is_symlink:
                return target
            target = posixpath.join(posixpath.dirname(target), status.link_target)
        raise EngineFailure(f"too many symlinks at {target}")

    def _status(self, path: str) -> _Status | None:
        try:
            answer = self._client.open("HEAD", self._path, {"path": path})
        except EngineRefused as error:
            if error.status != _NOT_FOUND:
                raise
            # It is there once it is written; a container that isn't is told of then.
            return None
        answer.close()
        return _status_in(answer.headers)

    def _send(self, pieces: Iterable[bytes], folder: str) -> int:
        counted = _Counted(pieces)
        query = {
            "path": folder,
            "noOverwriteDirNonDir": True,
            "copyUIDGID": self._keeps_owners or None,
        }
        headers = {"Content-Type": "application/x-tar"}
        self._client.open("PUT", self._path, query, upload=counted, headers=headers).close()
        return counted.count


class _Counted:
    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.count += len(piece)
            yield piece


class _Reader:
    """Pieces as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, length: int = -1, /) -> bytes:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = piece
        end = len(self._rest) if length < 0 else length
        taken, self._rest = self._rest[:end], self._rest[end:]
        return taken


@contextlib.contextmanager
def _archived(path: str, name: str) -> Iterator[Iterator[bytes]]:
    """A tar archive of a path of this machine, which is called `name` there, as it is written."""
    reader, writer = os.pipe()
    failures: list[OSError] = []

    def write() -> None:
        try:
            with os.fdopen(writer, "wb") as file, tarfile.open(fileobj=file, mode="w|") as archive:
                archive.add(path, arcname=name)
        except BrokenPipeError:
            # Who reads has said why.
            return
        except OSError as error:
            failures.append(error)

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    with os.fdopen(reader, "rb") as file:
        yield iter(lambda: file.read(1 << 18), b"")
    writing.join()
    if failures:
        raise EngineFailure(f"{failures[0].filename or path}: {failures[0].strerror}")


def _names_content(path: str) -> bool:
    """Whether a path means what is in a folder, and not the folder."""
    return path == "." or path.endswith("/.")


def _to_terminal_never(file: IO[bytes]) -> None:
    if file.isatty():
        raise EngineFailure("an archive is nothing for a terminal: redirect it")
