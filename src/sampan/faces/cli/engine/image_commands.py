"""The commands on images, with docker's verbs and options."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from sampan.faces.cli.engine import image_transfer
from sampan.faces.cli.engine.api_client import EngineRefused
from sampan.faces.cli.engine.asking import (
    LIST_FILTER,
    PRUNE_FILTER,
    WITHOUT_ASKING,
    confirmed,
    engine,
    filters,
)
from sampan.faces.cli.engine.human_values import size
from sampan.faces.cli.engine.image_rows import (
    EXACT_STEPS,
    IMAGES,
    IMAGES_WITH_DIGESTS,
    STEPS,
    image_rows,
    step_row,
)
from sampan.faces.cli.engine.listing import WHOLE, show, with_list_options
from sampan.faces.cli.engine.names import IMAGE
from sampan.faces.cli.engine.names import IMAGES as NAMED
from sampan.faces.cli.session import Session


@click.command(help="List images.")
@click.argument("name", required=False)
@click.option("-a", "--all", "everything", is_flag=True, help="Also those without a name.")
@click.option("--digests", is_flag=True, help="Show their digests.")
@LIST_FILTER
@WHOLE
@with_list_options
@click.pass_obj
def images(
    session: Session,
    /,
    *,
    name: str | None,
    everything: bool,
    digests: bool,
    filtered: tuple[str, ...],
    whole: bool,
    **shown: Any,
) -> None:
    wanted = (*filtered, f"reference={name}") if name else filtered
    query = {"all": everything, "filters": filters(wanted)}
    with engine(session) as client:
        found = client.document("GET", "/images/json", query)
    with_digests = digests or ".Digest" in shown["template"]
    rows = [
        row
        for image in found
        for row in image_rows(image, time.time(), whole=whole, digests=with_digests)
    ]
    show(rows, IMAGES_WITH_DIGESTS if digests else IMAGES, documents=found, **shown)


@click.command(help="Bring an image from a registry.")
@click.option("--platform", default="", help="For which system, such as linux/arm64.")
@click.option("-a", "--all-tags", is_flag=True, help="All tags of the name.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.argument("name")
@click.pass_obj
def pull(session: Session, /, name: str, platform: str, all_tags: bool, quiet: bool) -> None:
    with engine(session) as client:
        image_transfer.pull(client, name, platform, all_tags=all_tags, quiet=quiet)
    click.echo(name)


@click.command(help="Take an image to a registry.")
@click.option("-a", "--all-tags", is_flag=True, help="All tags of the name.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.argument("name")
@click.pass_obj
def push(session: Session, /, name: str, all_tags: bool, quiet: bool) -> None:
    with engine(session) as client:
        image_transfer.push(client, name, all_tags=all_tags, quiet=quiet)
    click.echo(name)


@click.command(help="Load images from an archive that docker save or an OCI tool wrote.")
@click.option(
    "-i",
    "--input",
    "archive",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The archive; standard input otherwise.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.pass_obj
def load(session: Session, /, archive: Path | None, quiet: bool) -> None:
    if archive is None and sys.stdin.isatty():
        raise click.UsageError("name an archive with -i, or pass one in on standard input")
    with engine(session) as client:
        image_transfer.load(client, archive, quiet=quiet)


@click.command(help="Write images into an archive.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path))
@NAMED
@click.pass_obj
def save(session: Session, /, names: tuple[str, ...], output: Path | None) -> None:
    path = f"/images/{names[0]}/get" if len(names) == 1 else "/images/get"
    with engine(session) as client:
        query = None if len(names) == 1 else {"names": ",".join(names)}
        _written(client.open("GET", path, query), output)


@click.command(help="Write a container's files into an archive.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("name")
@click.pass_obj
def export(session: Session, /, name: str, output: Path | None) -> None:
    with engine(session) as client:
        _written(client.open("GET", f"/containers/{name}/export"), output)


def _written(answer: Any, output: Path | None) -> None:
    if output is None:
        if sys.stdout.isatty():
            raise click.UsageError("an archive is nothing for a terminal: use -o, or redirect")
        for piece in answer.pieces():
            sys.stdout.buffer.write(piece)
        return
    # A half-written archive must not look like one.
    part = output.with_name(f"{output.name}.part")
    with part.open("wb") as file:
        for piece in answer.pieces():
            file.write(piece)
    part.rename(output)


@click.command("import", help="Make an image of an archive of files.")
@click.option("-c", "--change", "changes", multiple=True, help="A Dockerfile's instruction.")
@click.option("-m", "--message", default=None, help="What it is for.")
@click.option("--platform", default="", help="What it is for, such as linux/amd64.")
@click.argument("archive", type=click.File("rb"), metavar="FILE|-")
@click.argument("name", required=False)
@click.pass_obj
def import_image(
    session: Session,
    /,
    *,
    archive: BinaryIO,
    name: str | None,
    changes: tuple[str, ...],
    message: str | None,
    platform: str,
) -> None:
    query = {
        "fromSrc": "-",
        "repo": name,
        "message": message,
        "changes": "\n".join(changes) or None,
        "platform": platform or None,
    }
    with engine(session) as client:
        pieces = iter(lambda: archive.read(1 << 20), b"")
        answer = client.open("POST", "/images/create", query, upload=pieces)
        for told in image_transfer.checked(answer):
            click.echo(told["status"])


@click.command(help="Give an image another name.")
@click.argument("source")
@click.argument("target")
@click.pass_obj
def tag(session: Session, /, source: str, target: str) -> None:
    name, colon, label = target.rpartition(":")
    repository = name if colon and "/" not in label else target
    with engine(session) as client:
        client.document(
            "POST",
            f"/images/{source}/tag",
            {"repo": repository, "tag": label if repository == name else "latest"},
        )


@click.command(help="Remove images.")
@click.option("-f", "--force", is_flag=True, help="Also where containers need their names.")
@click.option("--no-prune", is_flag=True, help="Keep parents that nothing else names.")
@NAMED
@click.pass_obj
def rmi(session: Session, /, names: tuple[str, ...], force: bool, no_prune: bool) -> None:
    failed = False
    with engine(session) as client:
        for name in names:
            query = {"force": force, "noprune": no_prune}
            try:
                echo_removed(client.document("DELETE", f"/images/{name}", query))
            except EngineRefused as error:
                click.echo(f"Error: {error}", err=True)
                failed = True
    if failed:
        sys.exit(1)


def echo_removed(removed: Sequence[Mapping[str, str]]) -> None:
    """What a removal of images has untagged and deleted."""
    for step in removed:
        for what, identifier in step.items():
            click.echo(f"{what}: {identifier}")


@click.command(help="Show how an image was made.")
@click.option("-H", "--human/--no-human", default=True, help="Round sizes and times.")
@WHOLE
@with_list_options
@IMAGE
@click.pass_obj
def history(session: Session, /, name: str, human: bool, whole: bool, **shown: Any) -> None:
    with engine(session) as client:
        found = client.document("GET", f"/images/{name}/history")
    rows = [step_row(step, time.time(), whole=whole, human=human) for step in found]
    show(rows, STEPS if human else EXACT_STEPS, documents=found, **shown)


@click.command(help="Make an image of what a container has changed.")
@click.option("-a", "--author", default=None)
@click.option("-c", "--change", "changes", multiple=True, help="A Dockerfile's instruction.")
@click.option("-m", "--message", default=None, help="What it is for.")
@click.option("-p", "--pause/--no-pause", default=True, help="Hold it still meanwhile.")
@click.argument("container")
@click.argument("name", required=False)
@click.pass_obj
def commit(
    session: Session, /, container: str, name: str | None, changes: tuple[str, ...], **options: Any
) -> None:
    query = {
        "container": container,
        "repo": name,
        "author": options["author"],
        "comment": options["message"],
        "pause": options["pause"],
        "changes": "\n".join(changes) or None,
    }
    with engine(session) as client:
        click.echo(client.document("POST", "/commit", query)["Id"])


@click.command("prune", help="Remove images that nothing names.")
@click.option("-a", "--all", "everything", is_flag=True, help="All that no container uses.")
@WITHOUT_ASKING
@PRUNE_FILTER
@click.pass_obj
def prune(session: Session, /, everything: bool, force: bool, filtered: tuple[str, ...]) -> None:
    if not confirmed(force, "Remove images that nothing uses?"):
        return
    wanted = (*filtered, "dangling=false") if everything else filtered
    with engine(session) as client:
        answer = client.document("POST", "/images/prune", {"filters": filters(wanted)})
    echo_removed(answer["ImagesDeleted"] or ())
    click.echo(f"Total reclaimed space: {size(answer['SpaceReclaimed'])}")
