"""Files in and out of containers: archives (docker cp), export, commit."""

import base64
import stat
from typing import Any

import msgspec

from sampan.engine.containers.configuration import Configuration, converted
from sampan.engine.containers.contract import CommitOptions, PathStatus
from sampan.engine.contract import InvalidConfiguration
from sampan.faces.dockerapi import bodies, times
from sampan.faces.dockerapi.call import Call, answer, done
from sampan.faces.dockerapi.router import Route
from sampan.foundation.wire.message import Response

_TAR = "application/x-tar"
# Go's os.FileMode, which clients decode.
_KINDS = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
}
_BITS = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


def go_mode(mode: int) -> int:
    """A mode of stat(2) in the bits that Go gives it."""
    special = sum(there for bit, there in _BITS.items() if mode & bit)
    return _KINDS.get(stat.S_IFMT(mode), 0) | special | mode & 0o777


def _header(status: PathStatus) -> dict[str, str]:
    tree = {
        "name": status.name,
        "size": status.size,
        "mode": go_mode(status.mode),
        "mtime": times.moment_text(status.modified),
        "linkTarget": status.link_target,
    }
    encoded = base64.b64encode(msgspec.json.encode(tree)).decode()
    return {"X-Docker-Container-Path-Stat": encoded}


def _path(call: Call) -> str:
    path = call.text("path")
    if not path:
        raise InvalidConfiguration("bad parameter: missing or invalid 'path' query parameter")
    return path


async def stat_path(call: Call) -> Response:
    status = await call.engine.containers.stat_path(call.name, _path(call))
    return Response(headers=_header(status))


async def get_archive(call: Call) -> Response:
    status, archive = await call.engine.containers.get_archive(call.name, _path(call))
    return Response(headers={**_header(status), "Content-Type": _TAR}, body=archive)


async def put_archive(call: Call) -> Response:
    await call.engine.containers.put_archive(
        call.name,
        _path(call),
        bodies.pieces(call),
        keep_kinds=call.flag("noOverwriteDirNonDir"),
        keep_owners=call.flag("copyUIDGID"),
    )
    return done(200)


async def export(call: Call) -> Response:
    archive = await call.engine.containers.export(call.name)
    return Response(headers={"Content-Type": "application/octet-stream"}, body=archive)


async def commit(call: Call) -> Response:
    tree: dict[str, Any] = await call.json()
    options = CommitOptions(
        repository=call.text("repo"),
        tag=call.text("tag"),
        comment=call.text("comment"),
        author=call.text("author"),
        pause=call.flag("pause", default=True),
        changes=tuple(it for it in call.texts("changes") if it),
        configuration=converted(tree, Configuration) if tree else None,
    )
    identifier = await call.engine.containers.commit(call.text("container"), options)
    return answer({"Id": identifier}, 201)


ROUTES = (
    Route("HEAD", "/containers/{name}/archive", stat_path),
    Route("GET", "/containers/{name}/archive", get_archive),
    Route("PUT", "/containers/{name}/archive", put_archive),
    Route("GET", "/containers/{name}/export", export),
    Route("POST", "/commit", commit),
)
