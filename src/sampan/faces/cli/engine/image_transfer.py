"""Images on their way: what is pulled, pushed and loaded, and how far it is."""

import base64
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from sampan.engine.contract import EngineError
from sampan.engine.images.reference import parse_reference
from sampan.faces.cli.engine.api_client import Answer, EngineClient, EngineRefused
from sampan.faces.cli.engine.user_file import user_file

_FAILED = 500


def pull(
    client: EngineClient,
    reference: str,
    platform: str = "",
    *,
    all_tags: bool = False,
    quiet: bool = False,
) -> None:
    """Raises EngineRefused, ConnectionError."""
    is_bare = "@" not in reference and ":" not in reference.rpartition("/")[2]
    if all_tags and not is_bare:
        raise EngineRefused("tag can't be used with --all-tags/-a", _FAILED)
    if is_bare and not all_tags and not quiet:
        click.echo("Using default tag: latest")
    query = {
        "fromImage": reference,
        # Without a tag the engine takes all that there are.
        "tag": "latest" if is_bare and not all_tags else None,
        "platform": platform or None,
    }
    answer = client.open("POST", "/images/create", query, headers=_credentials(reference))
    follow(answer, quiet=quiet)


def push(
    client: EngineClient, reference: str, *, all_tags: bool = False, quiet: bool = False
) -> None:
    """Raises EngineRefused, ConnectionError."""
    name, tag = reference, None
    if not all_tags:
        parsed = parse_reference(reference)
        tag = parsed.tag or "latest"
        name = reference.removesuffix(f":{tag}")
    headers = _credentials(reference) or {"X-Registry-Auth": "e30="}
    answer = client.open("POST", f"/images/{name}/push", {"tag": tag}, headers=headers)
    follow(answer, quiet=quiet)


def load(client: EngineClient, archive: Path | None, *, quiet: bool = False) -> None:
    """From a file, or from standard input. Raises EngineRefused, ConnectionError, OSError."""
    with archive.open("rb") if archive else os.fdopen(os.dup(0), "rb") as file:
        pieces = iter(lambda: file.read(1 << 20), b"")
        answer = client.open("POST", "/images/load", {"quiet": True}, upload=pieces)
        follow(answer, quiet=quiet)


def follow(answer: Answer, *, quiet: bool = False) -> list[Any]:
    """Show a transfer's messages: bars on a terminal, lines otherwise; the auxiliary ones.

    Raises EngineRefused for the error that a stream may end in.
    """
    # What draws takes longer to import than a help page may.
    from sampan.faces.cli.engine.transfer_bars import transfer_bars

    auxiliary = []
    with transfer_bars(quiet=quiet) as bars:
        for message in checked(answer):
            if "aux" in message:
                auxiliary.append(message["aux"])
            elif "stream" in message:
                sys.stdout.write(message["stream"])
            elif not quiet:
                bars.tell(message)
    answer.close()
    return auxiliary


def checked(answer: Answer) -> Iterator[dict[str, Any]]:
    """The messages of a transfer. Raises EngineRefused for the error that it may end in."""
    for message in answer.messages():
        if "error" in message:
            raise EngineRefused(message["error"], _FAILED)
        yield message


def _credentials(reference: str) -> dict[str, str]:
    """What docker's own configuration of this user knows of the image's registry."""
    import asyncio

    from sampan.engine.images.known_credentials import find_credentials

    try:
        registry = parse_reference(reference).registry
        found = asyncio.run(find_credentials(user_file(), registry))
    except (EngineError, OSError) as error:
        sys.stderr.write(f"WARNING: no credentials: {error}\n")
        return {}
    if found is None:
        return {}
    document = {
        "username": found.user,
        "password": found.password,
        "identitytoken": found.identity_token,
        "serveraddress": registry,
    }
    encoded = base64.urlsafe_b64encode(json.dumps(document).encode()).decode()
    return {"X-Registry-Auth": encoded}
