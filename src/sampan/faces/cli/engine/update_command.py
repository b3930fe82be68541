"""`update`: other limits and another restart policy for containers that are there."""

import os
import sys
from typing import Any

import click

from sampan.faces.cli.engine.api_client import EngineRefused
from sampan.faces.cli.engine.asking import engine
from sampan.faces.cli.engine.names import CONTAINERS
from sampan.faces.cli.engine.run_options import SETTERS, SHORT
from sampan.faces.cli.engine.wanted_container import Wanted
from sampan.faces.cli.session import Session

_OPTIONS = (
    *("--blkio-weight", "--cpu-period", "--cpu-quota", "--cpu-rt-period", "--cpu-rt-runtime"),
    *("--cpu-shares", "--cpus", "--cpuset-cpus", "--cpuset-mems", "--memory"),
    *("--memory-reservation", "--memory-swap", "--pids-limit", "--restart"),
)
_LETTERS = {name: letter for letter, name in SHORT.items()}


def _with_options(command: Any) -> Any:
    for name in reversed(_OPTIONS):
        letters = [_LETTERS[name]] if name in _LETTERS else []
        command = click.option(*letters, name, default=None)(command)
    return command


@click.command(help="Change the limits and the restart policy of containers.")
@_with_options
@CONTAINERS
@click.pass_obj
def update(session: Session, /, names: tuple[str, ...], **options: str | None) -> None:
    changes = _changes({f"--{name.replace('_', '-')}": it for name, it in options.items()})
    if not changes:
        raise click.UsageError("you must provide one or more flags when using this command.")
    failed = False
    with engine(session) as client:
        for name in names:
            try:
                answer = client.document("POST", f"/containers/{name}/update", None, changes)
            except EngineRefused as error:
                click.echo(f"Error: {error}", err=True)
                failed = True
                continue
            click.echo(name)
            for warning in answer["Warnings"] or ():
                click.echo(warning, err=True)
    if failed:
        sys.exit(1)


def _changes(options: dict[str, str | None]) -> dict[str, Any]:
    """The document of what is given. Raises BadParameter."""
    wanted = Wanted()
    for name, value in options.items():
        if value is not None:
            try:
                SETTERS[name](wanted, value, os.environ)
            except ValueError as error:
                told = f"{value!r} is not a valid value"
                raise click.BadParameter(told, param_hint=name) from error
    return wanted.host
