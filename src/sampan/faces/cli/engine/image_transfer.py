"""Images on their way: what is pulled, pushed and loaded, and how far it is."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn

from sampan.engine.contract import EngineError
from sampan.engine.images.known_credentials import find_credentials
from sampan.engine.images.reference import parse_reference
from sampan.faces.cli.engine.api_client import Answer, EngineClient, EngineRefused

_FAILED = 500


def pull(client: EngineClient, reference: str, platform: str = "", *, quiet: bool = False) -> None:
    """Raises EngineRefused, ConnectionError."""
    query = {"fromImage": reference, "platform": platform or None}
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
    console = Console(file=sys.stderr)
    auxiliary = []
    with _Bars(console, hidden=quiet or not console.is_terminal) as bars:
        for message in _checked(answer):
            if "aux" in message:
                auxiliary.append(message["aux"])
            elif "stream" in message:
                sys.stdout.write(message["stream"])
            elif not quiet:
                bars.tell(message)
    answer.close()
    return auxiliary


def _checked(answer: Answer) -> Iterator[dict[str, Any]]:
    for message in answer.messages():
        if "error" in message:
            raise EngineRefused(message["error"], _FAILED)
        yield message


class _Bars:
    """A bar for each layer that moves; what has none is a line."""

    def __init__(self, console: Console, *, hidden: bool) -> None:
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._hidden = hidden
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            console=console,
            disable=hidden,
        )

    def __enter__(self) -> "_Bars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, message: dict[str, Any]) -> None:
        layer, status = message.get("id", ""), message.get("status", "")
        counted = message.get("progressDetail") or {}
        if not counted.get("total"):
            if layer not in self._tasks:
                self._line(f"{layer}: {status}" if layer else status)
            return
        if self._hidden:
            return
        if layer not in self._tasks:
            self._tasks[layer] = self._progress.add_task(layer)
        self._progress.update(
            self._tasks[layer],
            description=f"{layer}: {status}",
            completed=counted.get("current", 0),
            total=counted["total"],
        )

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _credentials(reference: str) -> dict[str, str]:
    """What docker's own configuration of this user knows of the image's registry."""
    folder = os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
    try:
        registry = parse_reference(reference).registry
        found = asyncio.run(find_credentials(Path(folder) / "config.json", registry))
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
