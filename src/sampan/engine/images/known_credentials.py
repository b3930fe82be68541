"""Looking a registry's credentials up: in a `config.json`, or by the helper that it names."""

import asyncio
import os
from pathlib import Path

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.images.credential_file import (
    decode_credential_file,
    decode_helper_answer,
    server_names,
)
from sampan.engine.images.credentials import Credentials
from sampan.engine.images.reference import DEFAULT_REGISTRY
from sampan.host import processes

_FILE_LIMIT = 4 << 20
_HELPER_TIMEOUT = 30.0
_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


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
    if not set(helper.lower()) <= _NAME_LETTERS:
        raise InvalidConfiguration(f"{helper[:80]!r} is not the name of a credential helper")
    question = os.memfd_create("question")
    try:
        os.write(question, server.encode())
        os.lseek(question, 0, os.SEEK_SET)
        answer = await processes.run(
            ["/usr/bin/env", f"docker-credential-{helper}", "get"],
            environment=dict(os.environ),
            stdin=question,
            timeout=_HELPER_TIMEOUT,
        )
    except TimeoutError as error:
        raise InvalidConfiguration(f"docker-credential-{helper} takes too long") from error
    finally:
        os.close(question)
    if answer.exit_code != 0:
        # That it knows nothing of the server is no failure, and told in no other way.
        return None
    return decode_helper_answer(answer.output, server)


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_FILE_LIMIT)
