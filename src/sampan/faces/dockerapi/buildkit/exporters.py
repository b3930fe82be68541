"""What a client of BuildKit wants the result to become (its exporters), as the engine's outputs.

Files and archives go back to the client on its session: by `moby.filesync.v1.FileSend/DiffCopy`,
once for each exporter, which the call names by its number.
"""

from collections.abc import AsyncIterator, Sequence
from functools import partial

import msgspec

from sampan.engine.build.file_tree import FileTree
from sampan.engine.build.outputs import (
    ArchiveOutput,
    FilesOutput,
    Output,
    StoreOutput,
    TarOutput,
)
from sampan.engine.contract import NotImplementedHere
from sampan.faces.dockerapi.buildkit import grpc
from sampan.faces.dockerapi.buildkit.file_sending import send_files
from sampan.faces.dockerapi.buildkit.http2 import Http2Connection
from sampan.foundation.wire import protobuf_fields
from sampan.foundation.wire.protobuf_fields import Fields

_METHOD = "/moby.filesync.v1.FileSend/DiffCopy"
_NUMBER = "buildkit-attachable-exporter-id"
_ANNOTATION = "annotation."
_MANIFEST_ANNOTATION = "annotation-manifest."
_INDEX_ANNOTATION = "annotation-index."
_PIECE = 512 << 10
_USUAL = {"compression": "gzip", "force-compression": "false", "oci-mediatypes": "true"}
_EXPORTERS, _OLD_EXPORTER, _OLD_ATTRIBUTES = 13, 3, 4


class Exporter(msgspec.Struct, frozen=True):
    """`kind` is "moby", "image", "docker", "oci", "tar" or "local"."""

    kind: str
    attributes: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name in self.attributes.get("name", "").split(",") if name)

    def is_set(self, name: str, *, default: bool = False) -> bool:
        text = self.attributes.get(name, "")
        return text.lower() in ("true", "1", "t") if text else default


def read_exporters(request: Fields) -> tuple[Exporter, ...]:
    """Those of a SolveRequest; none when nothing is to become of the result."""
    found = [Fields(encoded) for encoded in request.all(_EXPORTERS)]
    if found:
        return tuple(Exporter(each.text(1), each.mapping(2)) for each in found)
    kind = request.text(_OLD_EXPORTER)
    return (Exporter(kind, request.mapping(_OLD_ATTRIBUTES)),) if kind else ()


def outputs_of(exporters: Sequence[Exporter], connection: Http2Connection) -> tuple[Output, ...]:
    """Raises NotImplementedHere."""
    return tuple(_output(number, each, connection) for number, each in enumerate(exporters))


def _check_form(exporter: Exporter) -> None:
    """Layers become gzip, documents of the OCI's types. Raises NotImplementedHere."""
    for name, usual in _USUAL.items():
        value = exporter.attributes.get(name, usual)
        if value.lower() != usual:
            raise NotImplementedHere(f"an output with {name}={value[:40]}")


def _output(number: int, exporter: Exporter, connection: Http2Connection) -> Output:
    send_pieces = partial(_send_pieces, connection, number)
    splits = exporter.is_set("platform-split", default=True)
    _check_form(exporter)
    match exporter.kind:
        case "moby" | "image":
            # Old clients push what is "moby" once more, through the Engine API; new ones don't.
            return StoreOutput(names=exporter.names, pushes=exporter.is_set("push"))
        case "docker" | "oci" as form:
            if not exporter.is_set("tar", default=True):
                raise NotImplementedHere("an OCI layout as a folder: write a tar and unpack it")
            return ArchiveOutput(form=form, take=send_pieces, names=exporter.names)
        case "tar":
            return TarOutput(take=send_pieces, splits=splits)
        case "local":
            return FilesOutput(take=partial(_send_files, connection, number), splits=splits)
    raise NotImplementedHere(f"the exporter {exporter.kind[:40]!r}")


def annotations_of(exporters: Sequence[Exporter]) -> tuple[dict[str, str], dict[str, str]]:
    """Those for manifests, and those for an index."""
    manifest: dict[str, str] = {}
    index: dict[str, str] = {}
    for exporter in exporters:
        for key, value in exporter.attributes.items():
            if key.startswith(_INDEX_ANNOTATION):
                index[key.removeprefix(_INDEX_ANNOTATION)] = value
            elif key.startswith((_ANNOTATION, _MANIFEST_ANNOTATION)):
                manifest[key.partition(".")[2]] = value
    return manifest, index


async def _send_files(connection: Http2Connection, number: int, tree: FileTree) -> None:
    call = await grpc.open_call(connection, _METHOD, [(_NUMBER, str(number))])
    await send_files(call, tree)


async def _send_pieces(
    connection: Http2Connection, number: int, pieces: AsyncIterator[bytes]
) -> None:
    """Raises CallFailed, ConnectionError."""
    call = await grpc.open_call(connection, _METHOD, [(_NUMBER, str(number))])
    async for piece in pieces:
        for start in range(0, len(piece), _PIECE):
            await call.send(protobuf_fields.data(1, piece[start : start + _PIECE]))
    await call.end()
    while await call.receive() is not None:
        pass
    call.check()
