"""`sampan run` and `create`: a command in a new container, on the shortest way there is.

Exit codes are docker's: 125 for the engine's own failures, 126 and 127 for a command that can't
be executed or found, else the command's.
"""

import os
import signal
import sys
from typing import Any

from sampan.faces.cli.engine.api_client import (
    ENGINE_FAILED,
    Answer,
    EngineClient,
    EngineRefused,
    EngineUnreachable,
)
from sampan.faces.cli.engine.run_options import FLAGS, SETTERS, SHORT, parse
from sampan.faces.cli.engine.streams import Relay
from sampan.faces.cli.engine.wanted_container import UsageError, Wanted

_NOT_FOUND = ("executable file not found", "no such file or directory", "not found in $path")
_NOT_EXECUTABLE = ("permission denied", "is a directory")


def usage() -> str:
    """The help page."""
    letters = {name: letter for letter, name in SHORT.items()}
    rows = []
    for name in sorted((*FLAGS, *SETTERS)):
        shown = f"{letters[name]}, {name}" if name in letters else f"    {name}"
        rows.append(f"  {shown}{'' if name in FLAGS else ' VALUE'}")
    listed = "\n".join(rows)
    return (
        "Usage: sampan run [OPTIONS] IMAGE [COMMAND...]\n\n"
        "  Run a command in a new container. Options are docker's:\n\n"
        f"{listed}\n  --help\n"
    )


def main(instance: str, arguments: list[str], *, only_create: bool = False) -> int:
    """Run it; the exit code."""
    failed = 1 if only_create else ENGINE_FAILED
    try:
        wanted = parse(arguments, os.environ)
        if wanted is None:
            sys.stdout.write(usage())
            return 0
        return _Run(EngineClient(instance), wanted).go(only_create=only_create)
    except EngineRefused as error:
        sys.stderr.write(f"sampan: {error}\n")
        return failed if only_create else exit_code_of(error)
    except UsageError as error:
        sys.stderr.write(f"sampan: {error}\n")
        return error.exit_code
    except (EngineUnreachable, ConnectionError) as error:
        sys.stderr.write(f"sampan: {error}\n")
        return failed


def exit_code_of(error: EngineRefused, otherwise: int = ENGINE_FAILED) -> int:
    """What a shell would say of a command that could not be started; `otherwise` for the rest."""
    text = str(error).lower()
    if error.status in (400, 500):
        if any(words in text for words in _NOT_FOUND):
            return 127
        if any(words in text for words in _NOT_EXECUTABLE):
            return 126
    return otherwise


class _Run:
    def __init__(self, client: EngineClient, wanted: Wanted) -> None:
        self._client = client
        self._wanted = wanted
        self._document = wanted.document

    def go(self, *, only_create: bool) -> int:
        """Raises UsageError, EngineRefused, EngineUnreachable, ConnectionError."""
        wanted = self._wanted
        terminal = bool(self._document.get("Tty"))
        interactive = bool(self._document.get("AttachStdin"))
        if terminal and interactive and not only_create and not os.isatty(0):
            raise UsageError("standard input is no terminal: leave out -t")
        identifier = self._created()
        if wanted.identifier_file:
            with open(wanted.identifier_file, "x", encoding="ascii") as file:
                file.write(identifier)
        if wanted.detached or only_create:
            if not only_create:
                self._client.document("POST", f"/containers/{identifier}/start")
            sys.stdout.write(f"{identifier}\n")
            return 0
        return self._attached(identifier, interactive=interactive, terminal=terminal)

    def _created(self) -> str:
        image = self._document["Image"]
        if self._wanted.pull == "always":
            self._pull(image)
        try:
            return self._create()
        except EngineRefused as error:
            missing = error.status == 404 and "no such image" in str(error).lower()
            if not missing or self._wanted.pull == "never":
                raise
        sys.stderr.write(f"Unable to find image {image!r} locally\n")
        self._pull(image)
        return self._create()

    def _create(self) -> str:
        query = {"name": self._wanted.name or None, "platform": self._wanted.platform or None}
        made = self._client.document("POST", "/containers/create", query, self._document)
        for warning in made.get("Warnings") or ():
            sys.stderr.write(f"WARNING: {warning}\n")
        return str(made["Id"])

    def _pull(self, image: str) -> None:
        # Most runs need no image; what shows its progress takes long to import.
        from sampan.faces.cli.engine.image_transfer import pull

        pull(self._client, image, self._wanted.platform, quiet=self._wanted.quiet)

    def _attached(self, identifier: str, *, interactive: bool, terminal: bool) -> int:
        path = f"/containers/{identifier}"
        document = self._document
        streams = {
            "stream": True,
            "stdout": document["AttachStdout"],
            "stderr": document["AttachStderr"],
            "stdin": interactive,
        }
        keys = {"detachKeys": self._wanted.detach_keys} if self._wanted.detach_keys else {}
        carried = self._client.upgraded(f"{path}/attach", {**streams, **keys})
        condition = "removed" if self._wanted.host.get("AutoRemove") else "next-exit"
        ended = self._client.open("POST", f"{path}/wait", {"condition": condition})
        self._client.document("POST", f"{path}/start")
        relay = relay_of(
            self._client,
            path,
            carried,
            interactive=interactive,
            terminal=terminal,
            passes_signals=self._wanted.passes_signals,
        )
        relay.carry()
        if relay.was_left(self._wanted.detach_keys):
            return 0
        return int(ended.document()["StatusCode"])


def relay_of(
    client: EngineClient,
    path: str,
    carried: Answer,
    *,
    interactive: bool,
    terminal: bool,
    passes_signals: bool = True,
) -> Relay:
    """The streams of a container or command; signals and sizes go to it by further questions."""

    def ask(what: str, query: dict[str, Any]) -> None:
        try:
            client.document("POST", f"{path}/{what}", query)
        except EngineRefused:
            # It has just ended: who waits for it will see.
            return

    def signalled(number: int) -> None:
        ask("kill", {"signal": signal.Signals(number).name})

    return Relay(
        carried,
        interactive=interactive,
        terminal=terminal,
        signalled=signalled if passes_signals else None,
        resized=lambda columns, rows: ask("resize", {"h": rows, "w": columns}),
    )
