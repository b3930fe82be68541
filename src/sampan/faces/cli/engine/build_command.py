"""`sampan build`: a folder, what a URL leads to, or standard input becomes an image."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from sampan.engine.build.errors import BuildFailed
from sampan.faces.cli.engine.api_client import EngineRefused
from sampan.faces.cli.engine.asking import EngineFailure, engine, pairs
from sampan.faces.cli.engine.build_context import build_context
from sampan.faces.cli.engine.build_options import engine_query, with_engine_options
from sampan.faces.cli.engine.option_values import variables
from sampan.faces.cli.session import Session

_FAILED = 500


@click.command(help="Build an image from a Dockerfile.")
@click.argument("context", metavar="FOLDER|URL|-")
@click.option("-t", "--tag", "names", multiple=True, help="A name for the image.")
@click.option(
    "-f", "--file", "dockerfile", default="", help="The Dockerfile, if not FOLDER/Dockerfile."
)
@click.option(
    "--build-arg",
    "arguments",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for an ARG; NAME alone takes it from here.",
)
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE")
@with_engine_options
@click.option("--iidfile", "identifier_file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("-q", "--quiet", is_flag=True, help="Only print the image's identifier.")
@click.pass_obj
def build(
    session: Session,
    /,
    *,
    context: str,
    dockerfile: str,
    names: tuple[str, ...],
    arguments: tuple[str, ...],
    **options: Any,
) -> None:
    given = [line for text in arguments for line in variables(text, os.environ)]
    if "SOURCE_DATE_EPOCH" in os.environ:
        given.append(f"SOURCE_DATE_EPOCH={os.environ['SOURCE_DATE_EPOCH']}")
    query = engine_query(options) | {
        "t": list(names),
        "buildargs": json.dumps(pairs(given)),
        "labels": json.dumps(pairs(options["labels"])),
    }
    try:
        sent = build_context(context, dockerfile)
        query |= {"dockerfile": sent.dockerfile, "remote": sent.remote or None}
        with engine(session) as client:
            identifier = ""
            answer = client.open(
                "POST",
                "/build",
                query,
                headers={"Content-Type": "application/x-tar"},
                upload=sent.pieces,
            )
            for message in answer.messages():
                identifier = _told(message, quiet=options["quiet"]) or identifier
        if options["identifier_file"]:
            options["identifier_file"].write_text(identifier)
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
