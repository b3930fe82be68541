"""What a registry refuses, in the words that docker's users know. Pure.

Codes are those of the distribution specification ("Error Codes").
"""

from typing import Any

import msgspec

from sampan.engine.contract import EngineError, Forbidden, NotFound

_UNNAMED = {
    400: "bad request",
    401: "unauthorized",
    403: "denied",
    404: "not found",
    429: "toomanyrequests: too many requests",
}
_UNKNOWN_NAME = ("NAME_UNKNOWN", "DENIED", "UNAUTHORIZED")
_SHOWN = 500


class RegistryRefusal(EngineError):
    """An answer that is not the one hoped for; `code` is "" if the registry gave none."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class RegistryUnreachable(EngineError):
    """Nobody answers at the registry's address, or not in its protocol."""


def refusal_of(status: int, body: bytes, request: str) -> RegistryRefusal:
    """Out of an answer's status and body; `request` is told where the body tells nothing."""
    try:
        errors = msgspec.json.decode(body, type=_Errors).errors
    except msgspec.DecodeError:
        errors = []
    if errors:
        first = errors[0]
        text = first.code.lower().replace("_", " ")
        message = f"{text}: {first.message}" if first.message else text
        return RegistryRefusal(status, first.code, _printable(message))
    word = _UNNAMED.get(status, f"unexpected status {status}")
    return RegistryRefusal(status, "", _printable(f"{request}: {word}"))


def pull_refused(refusal: RegistryRefusal, name: str, repository: str) -> EngineError:
    """For the image `name` (familiar) out of `repository` (familiar)."""
    if refusal.code == "MANIFEST_UNKNOWN":
        return NotFound(f"manifest for {name} not found: {refusal}")
    if refusal.code in _UNKNOWN_NAME or refusal.status in (401, 403):
        return NotFound(
            f"pull access denied for {repository}, repository does not exist or may require "
            f"'docker login': {refusal}"
        )
    if refusal.status == 404:
        return NotFound(f"manifest for {name} not found: manifest unknown")
    return EngineError(str(refusal))


def push_refused(refusal: RegistryRefusal) -> EngineError:
    if refusal.status in (401, 403) and not refusal.code:
        return Forbidden("denied: requested access to the resource is denied")
    if refusal.status in (401, 403):
        return Forbidden(str(refusal))
    return EngineError(str(refusal))


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""
    detail: Any = None


class _Errors(msgspec.Struct):
    errors: list[_Error] = []


def _printable(text: str) -> str:
    """A registry may write what it likes; a terminal shall show it harmlessly."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_SHOWN])
