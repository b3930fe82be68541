"""The commands on images and on the machine's own containers: clients of the engine's socket."""

import json
import os
import sys
import time
from pathlib import Path
from typing import IO, Any

import click

from sampan.engine.images.reference import familiar
from sampan.faces.cli import engine_session, run_command
from sampan.faces.cli.session import Session, require_root
from sampan.faces.cli.text_table import text_table

_OUTPUT = click.option(
    "-o", "--output", type=click.Choice(["text", "json", "name"]), default="text"
)
_SHORT_IDENTIFIER = 12
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class _EngineFailure(click.ClickException):
    """What the engine refused, with docker's exit code for it."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self._exit_code = exit_code

    def show(self, file: IO[Any] | None = None) -> None:
        super().show(file)
        # click takes the code from a class variable; an instance of ours has its own.
        sys.exit(self._exit_code)


def _ask(session: Session, method: str, arguments: Any = None, **options: bool) -> Any:
    require_root()
    try:
        return engine_session.ask(session.instance.name, method, arguments or {}, **options)
    except (engine_session.EngineUnreachable, ConnectionError) as error:
        raise _EngineFailure(str(error), engine_session.ENGINE_FAILED) from error
    except engine_session.EngineRefused as error:
        raise _EngineFailure(str(error), error.exit_code) from error


@click.command(help="Build an image from a Dockerfile.")
@click.argument("context", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-t", "--tag", "names", multiple=True, help="A name for the image.")
@click.option(
    "-f",
    "--file",
    "dockerfile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The Dockerfile, if it isn't CONTEXT/Dockerfile.",
)
@click.option(
    "--build-arg",
    "build_arguments",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for an ARG; NAME alone takes it from here.",
)
@click.option("--target", default="", help="The stage to stop at.")
@click.option("--no-cache", is_flag=True, help="Take nothing from earlier builds.")
@click.option(
    "--network",
    type=click.Choice(["none", "host"]),
    default="none",
    show_default=True,
    help="What RUN may reach.",
)
@click.option("-q", "--quiet", is_flag=True, help="Only print the image's identifier.")
@click.pass_obj
def build(
    session: Session,
    /,
    context: Path,
    names: tuple[str, ...],
    dockerfile: Path | None,
    build_arguments: tuple[str, ...],
    **options: Any,
) -> None:
    arguments = {
        "context": str(context.resolve()),
        "dockerfile": str(dockerfile.resolve()) if dockerfile else "",
        "names": names,
        "build_arguments": dict(map(_build_argument, build_arguments)),
        "target": options["target"],
        "use_cache": not options["no_cache"],
        "network": options["network"],
        "quiet": options["quiet"],
        "source_date_epoch": os.environ.get("SOURCE_DATE_EPOCH", ""),
    }
    answer = _ask(session, "images.build", arguments)
    click.echo(answer["identifier"])


def _build_argument(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    return name, value if equals else os.environ.get(name, "")


@click.command(help="List images.")
@_OUTPUT
@click.pass_obj
def images(session: Session, output: str) -> None:
    found = _ask(session, "images.list")
    rows = sorted(
        (*familiar(name).rsplit(":", 1), image) for image in found for name in image["names"]
    )
    if output == "json":
        click.echo(json.dumps(found))
    elif output == "name":
        _echo_lines(f"{name}:{tag}" for name, tag, _ in rows)
    else:
        click.echo(
            text_table(
                ("NAME", "TAG", "IMAGE ID", "CREATED", "SIZE"),
                [
                    (name, tag, _short(image["identifier"]), _ago(image["created"]), _size(image))
                    for name, tag, image in rows
                ],
            )
        )


@click.command(help="Load images from an archive that docker save or an OCI tool wrote.")
@click.option(
    "-i",
    "--input",
    "archive",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
)
@click.pass_obj
def load(session: Session, archive: Path) -> None:
    for image in _ask(session, "images.load", {"path": str(archive.resolve())}):
        click.echo(familiar(image["name"]))


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    help="Run a command in a new container.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run(session: Session, arguments: tuple[str, ...]) -> None:
    sys.exit(run_command.main(session.instance.name, list(arguments)))


@click.command(help="List the machine's own containers.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that have ended.")
@_OUTPUT
@click.pass_obj
def ps(session: Session, everything: bool, output: str) -> None:
    found = [
        container
        for container in _ask(session, "containers.list")
        if everything or container["phase"] == "running"
    ]
    found.sort(key=lambda container: -container["created"])
    if output == "json":
        click.echo(json.dumps(found))
    elif output == "name":
        _echo_lines(container["name"] for container in found)
    else:
        click.echo(
            text_table(
                ("CONTAINER ID", "IMAGE", "CREATED", "STATUS", "NAME"),
                [
                    (
                        _short(container["identifier"]),
                        container["image"],
                        _ago(container["created"]),
                        _state(container),
                        container["name"],
                    )
                    for container in found
                ],
            )
        )


@click.command(help="Show a container's output.")
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on until it ends.")
@click.option("-n", "--tail", type=click.IntRange(min=0), help="Only so many lines from the end.")
@click.option("-t", "--timestamps", is_flag=True, help="Begin each line with its time.")
@click.pass_obj
def logs(session: Session, name: str, follow: bool, tail: int | None, timestamps: bool) -> None:
    options = {"follow": follow, "tail": tail, "timestamps": timestamps}
    _ask(session, "containers.logs", {"name": name, "options": options})


@click.command(
    "exec",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    help="Run a command in a container.",
)
@click.option("-i", "--interactive", is_flag=True, help="Pass standard input on.")
@click.option("-t", "--tty", "terminal", is_flag=True, help="Give it a terminal.")
@click.option(
    "-e",
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a variable; NAME alone takes it from here.",
)
@click.argument("name")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def exec_command(
    session: Session,
    /,
    *,
    interactive: bool,
    terminal: bool,
    variables: tuple[str, ...],
    name: str,
    command: tuple[str, ...],
) -> None:
    if terminal and not os.isatty(0):
        raise click.UsageError("standard input is no terminal: leave out -t")
    arguments = {
        "name": name,
        "command": command,
        "interactive": interactive,
        "terminal": terminal,
        "environment": dict(map(_build_argument, variables)),
    }
    answer = _ask(
        session,
        "containers.exec",
        arguments,
        interactive=interactive,
        terminal=terminal,
        forward_signals=terminal,
    )
    sys.exit(answer["exit_code"])


@click.command(help="Stop containers.")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "-t",
    "--time",
    "seconds",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Seconds between the stop signal and SIGKILL.",
)
@click.pass_obj
def stop(session: Session, names: tuple[str, ...], seconds: float) -> None:
    for name in names:
        _ask(session, "containers.stop", {"name": name, "grace_seconds": seconds})
        click.echo(name)


@click.command(help="Remove containers.")
@click.argument("names", nargs=-1, required=True)
@click.option("-f", "--force", is_flag=True, help="Also those that run.")
@click.pass_obj
def rm(session: Session, names: tuple[str, ...], force: bool) -> None:
    for name in names:
        _ask(session, "containers.remove", {"name": name, "force": force})
        click.echo(name)


def _echo_lines(lines: Any) -> None:
    for line in lines:
        click.echo(line)


def _short(identifier: str) -> str:
    return identifier.removeprefix("sha256:")[:_SHORT_IDENTIFIER]


def _size(image: dict[str, Any]) -> str:
    return f"{image['size'] / 1_000_000:.1f} MB"


def _ago(moment: float) -> str:
    if not moment:
        return "-"
    age = max(0, time.time() - moment)
    for unit, letter in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if age >= unit:
            return f"{int(age // unit)}{letter} ago"
    return f"{int(age)}s ago"


def _state(container: dict[str, Any]) -> str:
    if container["phase"] == "running":
        return f"running since {_ago(container['started'])}"
    if container["phase"] == "created":
        return "created"
    reason = ", out of memory" if container["out_of_memory"] else ""
    return f"exited ({container['exit_code']}{reason}) {_ago(container['finished'])}"
