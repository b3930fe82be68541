"""Errors of the engine on their way through its socket: by the name of their class."""

from typing import Any

import msgspec

from sampan.engine import contract
from sampan.engine.images.documents import InvalidImage
from sampan.engine.images.reference import InvalidReference

_KINDS: dict[str, type[contract.EngineError]] = {
    kind.__name__: kind
    for kind in (
        contract.EngineError,
        contract.NotFound,
        contract.Conflict,
        contract.NotModified,
        contract.Forbidden,
        contract.ImageNotFound,
        contract.ContainerNotFound,
        contract.NameInUse,
        contract.InvalidConfiguration,
        InvalidImage,
        InvalidReference,
        contract.ImageInUse,
    )
}


def encode_error(error: Exception) -> bytes:
    """The payload of an error frame."""
    content: dict[str, Any] = {"kind": type(error).__name__, "message": str(error)}
    if isinstance(error, contract.CommandNotFound):
        content["exit_code"] = error.exit_code
    return msgspec.json.encode(content)


def decode_error(payload: bytes) -> contract.EngineError:
    """The error that an error frame tells of; an unknown kind is an EngineError."""
    content = msgspec.json.decode(payload)
    if content["kind"] == contract.CommandNotFound.__name__:
        return contract.CommandNotFound(content["message"], content["exit_code"])
    return _KINDS.get(content["kind"], contract.EngineError)(content["message"])
