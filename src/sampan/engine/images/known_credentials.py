"""Looking a registry's credentials up: in a `config.json`, or by the helper that it names."""

import asyncio
from pathlib import Path

from sampan.engine.images.credential_file import (
    decode_credential_file,
    decode_helper_answer,
    server_names,
)
from sampan.engine.images.credential_helper import ask_helper
from sampan.engine.images.credentials import Credentials
from sampan.engine.images.reference import DEFAULT_REGISTRY

_FILE_LIMIT = 4 << 20


async def find_credentials(file: Path, registry: str) -> Credentials | None:
    """None when the file, or the registry in it, is not there.

    Raises InvalidConfiguration for a file or helper that can't be understood, OSError.
    """
    try:
        data = await asyncio.to_thread(_read, file)
    except FileNotFoundError:
        return None
    known = decode_credential_file(data)
    entries = known.entries()
    for server, credentials in entries.items():
        if is_same_registry(server, registry) and credentials != Credentials(server=server):
            return credentials
    helper = known.helper_of(registry)
    server = next((it for it in entries if is_same_registry(it, registry)), registry)
    return await _asked(helper, server) if helper else None


def is_same_registry(server: str, registry: str) -> bool:
    """Whether a server of such a file is the registry; the default one has many addresses."""
    host = server_names(server)[0]
    return host == registry or (
        registry == DEFAULT_REGISTRY and host.endswith(f".{DEFAULT_REGISTRY}")
    )


async def _asked(helper: str, server: str) -> Credentials | None:
    answer = await ask_helper(helper, "get", server.encode())
    if answer.exit_code != 0:
        # That it knows nothing of the server is no failure, and told in no other way.
        return None
    return decode_helper_answer(answer.output, server)


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_FILE_LIMIT)
