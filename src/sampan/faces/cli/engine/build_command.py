"""`sampan build`: a folder, or a Dockerfile on standard input, becomes an image."""

import io
import json
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.patterns import is_ignored, parse_ignore_rules
from sampan.faces.cli.engine.api_client import EngineRefused
from sampan.faces.cli.engine.asking import EngineFailure, engine, pairs
from sampan.faces.cli.engine.option_values import size, variables
from sampan.faces.cli.session import Session

_PIECE = 1 << 20
_OUTSIDE = ".sampan-dockerfile"
_FAILED = 500


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
    "arguments",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for an ARG; NAME alone takes it from here.",
)
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE")
@click.option("--target", default="", help="The stage to stop at.")
@click.option("--platform", default="", help="For which system.")
@click.option("--no-cache", is_flag=True, help="Take nothing from earlier builds.")
@click.option("--pull", is_flag=True, help="Look for newer images to begin with.")
@click.option("--network", default="", help="What RUN may reach: default, none or host.")
@click.option("--add-host", "hosts", multiple=True, metavar="NAME:ADDRESS")
@click.option("-m", "--memory", default="", help="At most so much memory for a step.")
@click.option("-q", "--quiet", is_flag=True, help="Only print the image's identifier.")
@click.pass_obj
def build(
    session: Session,
    /,
    context: Path,
    dockerfile: Path | None,
    names: tuple[str, ...],
    arguments: tuple[str, ...],
    **options: Any,
) -> None:
    given = [line for text in arguments for line in variables(text, os.environ)]
    if "SOURCE_DATE_EPOCH" in os.environ:
        given.append(f"SOURCE_DATE_EPOCH={os.environ['SOURCE_DATE_EPOCH']}")
    inside = _place_of(dockerfile, context)
    query = {
        "t": list(names),
        "dockerfile": inside,
        "buildargs": json.dumps(pairs(given)),
        "labels": json.dumps(pairs(options["labels"])),
        "target": options["target"] or None,
        "platform": options["platform"] or None,
        "nocache": options["no_cache"],
        "pull": options["pull"],
        "networkmode": options["network"] or None,
        "extrahosts": ",".join(options["hosts"]) or None,
        "memory": size(options["memory"]) if options["memory"] else None,
    }
    try:
        pieces = _packed(context, dockerfile if inside == _OUTSIDE else None)
        with engine(session) as client:
            identifier = ""
            answer = client.open(
                "POST",
                "/build",
                query,
                headers={"Content-Type": "application/x-tar"},
                upload=pieces,
            )
            for message in answer.messages():
                identifier = _told(message, quiet=options["quiet"]) or identifier
    except (BuildFailed, OSError) as error:
        raise EngineFailure(str(error)) from error
    click.echo(identifier)


def _told(message: dict[str, Any], *, quiet: bool) -> str:
    """Show a message; the identifier that it may tell. Raises EngineRefused."""
    if "error" in message:
        raise EngineRefused(message["error"], _FAILED)
    if not quiet:
        sys.stderr.write(message.get("stream", ""))
    return str((message.get("aux") or {}).get("ID", ""))


def _place_of(dockerfile: Path | None, context: Path) -> str:
    """Where the Dockerfile is in the context; one from elsewhere gets a place in it."""
    if dockerfile is None:
        return "Dockerfile"
    try:
        return str(dockerfile.resolve().relative_to(context.resolve()))
    except ValueError:
        return _OUTSIDE


def _packed(context: Path, dockerfile: Path | None) -> Iterator[bytes]:
    """The context as a tar archive, without what .dockerignore names; the engine reads that
    again. Raises BuildFailed, OSError."""
    pieces = _Pieces()
    with tarfile.open(fileobj=pieces, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path, name in _files(context):
            archive.add(path, name, recursive=False)
            yield from pieces.taken()
        if dockerfile is not None:
            archive.add(dockerfile, _OUTSIDE)
    yield from pieces.taken()


def _files(context: Path) -> Iterator[tuple[str, str]]:
    rules = parse_ignore_rules(_ignore_file(context))
    # Where a rule brings something back, whole folders can't be passed over.
    prunes = not any(rule.keeps for rule in rules)
    for folder, folders, files in os.walk(context):
        inside = os.path.relpath(folder, context)
        prefix = "" if inside == "." else f"{inside}/"
        folders.sort()
        for name in sorted([*folders, *files]):
            path = prefix + name
            needed = path in ("Dockerfile", ".dockerignore")
            if not needed and is_ignored(path, rules):
                if prunes and name in folders:
                    folders.remove(name)
                continue
            yield os.path.join(folder, name), path


def _ignore_file(context: Path) -> str:
    try:
        return (context / ".dockerignore").read_text(errors="replace")
    except FileNotFoundError:
        return ""


class _Pieces(io.RawIOBase):
    """What tarfile writes to: kept until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[bytes] = []

    def write(self, data: Any) -> int:
        self._kept.append(bytes(data))
        return len(data)

    def taken(self) -> Iterator[bytes]:
        kept, self._kept = self._kept, []
        data = b"".join(kept)
        for start in range(0, len(data), _PIECE):
            yield data[start : start + _PIECE]
