"""Remembering who a user is at a registry, as docker does: in his `config.json`, or by the helper
that this file names. What else stands in the file stays as it is.
"""

import base64
import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.credential_file import decode_credential_file
from sampan.engine.images.credential_helper import ask_helper
from sampan.engine.images.credentials import Credentials

_TOKEN_USER = "<token>"  # noqa: S105 - the name that helpers are given instead of a user's


async def keep_credentials(file: Path, credentials: Credentials) -> bool:
    """Keep them for their server; whether they stand in the file itself, which encrypts nothing.

    Raises InvalidConfiguration, OSError.
    """
    document, server = _read(file), credentials.server
    helper = _helper(document, server)
    if helper:
        token = credentials.identity_token
        name, secret = (_TOKEN_USER, token) if token else (credentials.user, credentials.password)
        told = {"ServerURL": server, "Username": name, "Secret": secret}
        await _tell_helper(helper, "store", msgspec.json.encode(told))
    document.setdefault("auths", {})[server] = {} if helper else _entry(credentials)
    _write(file, document)
    return not helper


async def forget_credentials(file: Path, server: str) -> bool:
    """Whether there were some. Raises InvalidConfiguration, OSError."""
    document = _read(file)
    if document.get("auths", {}).pop(server, None) is None:
        return False
    helper = _helper(document, server)
    if helper:
        await _tell_helper(helper, "erase", server.encode())
    _write(file, document)
    return True


async def _tell_helper(helper: str, verb: str, told: bytes) -> None:
    answer = await ask_helper(helper, verb, told)
    if answer.exit_code:
        said = answer.output.decode(errors="replace").strip()[:300]
        raise InvalidConfiguration(f"docker-credential-{helper} {verb}: {said}")


def _helper(document: dict[str, Any], server: str) -> str:
    return decode_credential_file(msgspec.json.encode(document)).helper_of(server)


def _entry(credentials: Credentials) -> dict[str, str]:
    token = credentials.identity_token
    pair = f"{credentials.user}:{'' if token else credentials.password}"
    entry = {"auth": base64.b64encode(pair.encode()).decode()}
    return entry | ({"identitytoken": token} if token else {})


def _read(file: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        raise InvalidConfiguration(f"{file} can't be read: {error}") from error


def _write(file: Path, document: dict[str, Any]) -> None:
    """Replace the file, which its owner alone may read; a symlink stays one."""
    place = file.resolve()
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}-")
    try:
        with os.fdopen(descriptor, "wb") as fresh:
            fresh.write(msgspec.json.format(msgspec.json.encode(document), indent=8))
        os.replace(name, place)
    except BaseException:
        os.unlink(name)
        raise
