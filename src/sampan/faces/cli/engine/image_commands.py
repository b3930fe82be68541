"""The commands on images, with docker's verbs and options."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from sampan.faces.cli.engine import image_transfer
from sampan.faces.cli.engine.asking import FILTER, FORCE, confirmed, engine, filters
from sampan.faces.cli.engine.human_values import age, short, size
from sampan.faces.cli.engine.listing import show, with_list_options
from sampan.faces.cli.session import Session

_COLUMNS = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "Size": "SIZE",
}
_NONE = "<none>"


@click.command(help="List images.")
@click.argument("name", required=False)
@click.option("-a", "--all", "everything", is_flag=True, help="Also those without a name.")
@FILTER
@with_list_options
@click.pass_obj
def images(
    session: Session,
    /,
    name: str | None,
    everything: bool,
    filtered: tuple[str, ...],
    whole: bool,
    **shown: Any,
) -> None:
    wanted = (*filtered, f"reference={name}") if name else filtered
    with engine(session) as client:
        found = client.document(
            "GET", "/images/json", {"all": everything, "filters": filters(wanted)}
        )
    rows = [row for image in found for row in _rows(image, whole)]
    show(rows, _COLUMNS, name="Name", documents=found, **shown)


def _rows(image: dict[str, Any], whole: bool) -> list[dict[str, Any]]:
    names = image["RepoTags"] or [f"{_NONE}:{_NONE}"]
    common = {
        "ID": image["Id"] if whole else short(image["Id"]),
        "CreatedSince": age(time.time() - image["Created"]),
        "Size": size(image["Size"]),
    }
    rows = []
    for name in names:
        repository, _, tag = name.rpartition(":")
        rows.append({**common, "Name": name, "Repository": repository, "Tag": tag})
    return rows


@click.command(help="Bring an image from a registry.")
@click.option("--platform", default="", help="For which system, such as linux/arm64.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.argument("name")
@click.pass_obj
def pull(session: Session, /, name: str, platform: str, quiet: bool) -> None:
    with engine(session) as client:
        image_transfer.pull(client, name, platform, quiet=quiet)
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
@click.argument("names", nargs=-1, required=True)
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
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("name", required=False)
@click.pass_obj
def import_image(
    session: Session,
    /,
    archive: Path,
    name: str | None,
    changes: tuple[str, ...],
    message: str | None,
) -> None:
    query = {"fromSrc": "-", "repo": name, "message": message, "changes": "\n".join(changes)}
    with engine(session) as client, archive.open("rb") as file:
        pieces = iter(lambda: file.read(1 << 20), b"")
        for told in client.open("POST", "/images/create", query, upload=pieces).messages():
            click.echo(told.get("status") or told.get("error"))


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
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def rmi(session: Session, /, names: tuple[str, ...], force: bool, no_prune: bool) -> None:
    with engine(session) as client:
        for name in names:
            query = {"force": force, "noprune": no_prune}
            for removed in client.document("DELETE", f"/images/{name}", query):
                for what, identifier in removed.items():
                    click.echo(f"{what}: {identifier}")


@click.command(help="Show how an image was made.")
@with_list_options
@click.argument("name")
@click.pass_obj
def history(session: Session, /, name: str, whole: bool, **shown: Any) -> None:
    with engine(session) as client:
        found = client.document("GET", f"/images/{name}/history")
    rows = [
        {
            "ID": entry["Id"] if whole or entry["Id"].startswith("<") else short(entry["Id"]),
            "CreatedSince": age(time.time() - entry["Created"]),
            "CreatedBy": entry["CreatedBy"] if whole else entry["CreatedBy"][:45],
            "Size": size(entry["Size"]),
            "Comment": entry["Comment"],
        }
        for entry in found
    ]
    columns = {
        "ID": "IMAGE",
        "CreatedSince": "CREATED",
        "CreatedBy": "CREATED BY",
        "Size": "SIZE",
        "Comment": "COMMENT",
    }
    show(rows, columns, name="ID", documents=found, **shown)


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


@click.command("image-prune", help="Remove images that nothing names.")
@click.option("-a", "--all", "everything", is_flag=True, help="All that no container uses.")
@FORCE
@FILTER
@click.pass_obj
def image_prune(
    session: Session, /, everything: bool, force: bool, filtered: tuple[str, ...]
) -> None:
    if not confirmed(force, "Remove images that nothing uses?"):
        return
    wanted = (*filtered, "dangling=false") if everything else filtered
    with engine(session) as client:
        answer = client.document("POST", "/images/prune", {"filters": filters(wanted)})
    for removed in answer["ImagesDeleted"] or ():
        for what, identifier in removed.items():
            click.echo(f"{what}: {identifier}")
    click.echo(f"Total reclaimed space: {size(answer['SpaceReclaimed'])}")
