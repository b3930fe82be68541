"""The engine as the commands ask it: refusals become errors of the command line."""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any

import click

from sampan.faces.cli.engine.api_client import (
    EngineClient,
    EngineRefused,
    EngineUnreachable,
)
from sampan.faces.cli.engine.option_values import moment
from sampan.faces.cli.engine.run_command import exit_code_of
from sampan.faces.cli.session import Session


class EngineFailure(click.ClickException):
    """What the engine refused, with docker's exit code for it."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self._exit_code = exit_code

    def show(self, file: IO[Any] | None = None) -> None:
        super().show(file)
        # click takes the code from a class variable; an instance of ours has its own.
        sys.exit(self._exit_code)


@contextlib.contextmanager
def engine(session: Session, *, runs_command: bool = False) -> Iterator[EngineClient]:
    """A client whose errors, raised in the block, end the command."""
    try:
        yield EngineClient(session.instance.name)
    except EngineRefused as error:
        code = exit_code_of(error, otherwise=1) if runs_command else 1
        raise EngineFailure(str(error), code) from error
    except (EngineUnreachable, ConnectionError) as error:
        raise EngineFailure(str(error)) from error


def ask_for_each(
    session: Session,
    names: Sequence[str],
    method: str,
    path: str,
    query: dict[str, Any] | None = None,
) -> None:
    """Ask `path`, in which `{}` stands for a name, for every name; print those that it was done
    for, and fail at the end for the others."""
    failed = False
    with engine(session) as client:
        for name in names:
            try:
                client.document(method, path.format(name), query)
                click.echo(name)
            except EngineRefused as error:
                click.echo(f"Error: {error}", err=True)
                failed = True
    if failed:
        sys.exit(1)


def filters(pairs: Sequence[str]) -> str | None:
    """The filters of --filter NAME=VALUE, as the API takes them."""
    import json

    found: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"{pair!r} is no filter: use NAME=VALUE")
        found.setdefault(name, []).append(value)
    return json.dumps(found) if found else None


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE texts as a mapping."""
    return {name: value for name, _, value in (text.partition("=") for text in texts)}


def moment_of(text: str) -> str:
    """Seconds since the epoch of an option's time. Raises UsageError."""
    try:
        return moment(text, time.time())
    except ValueError as error:
        raise click.UsageError(
            f"{text!r} is no time: use 10m, 2026-01-02T03:04:05 or 1767323045"
        ) from error


LIST_FILTER = click.option("-f", "--filter", "filtered", multiple=True, metavar="NAME=VALUE")
PRUNE_FILTER = click.option("--filter", "filtered", multiple=True, metavar="NAME=VALUE")
WITHOUT_ASKING = click.option("-f", "--force", "-y", "force", is_flag=True, help="Without asking.")


def confirmed(force: bool, question: str) -> bool:
    """Whether the user wants it: asked only on a terminal, where nothing else says so."""
    return force or click.confirm(question, default=False)
