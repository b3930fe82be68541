"""`system prune` and `builder prune`: letting go of all that nothing uses."""

from typing import Any

import click

from sampan.faces.cli.engine.api_client import Query
from sampan.faces.cli.engine.asking import (
    PRUNE_FILTER,
    WITHOUT_ASKING,
    confirmed,
    engine,
    filters,
)
from sampan.faces.cli.engine.human_values import size
from sampan.faces.cli.engine.image_commands import echo_removed
from sampan.faces.cli.session import Session

_ALL = click.option("-a", "--all", "everything", is_flag=True, help="Also what has a name.")


@click.command("prune", help="Remove all that nothing uses.")
@_ALL
@click.option("--volumes", is_flag=True, help="Also anonymous volumes.")
@WITHOUT_ASKING
@PRUNE_FILTER
@click.pass_obj
def system_prune(
    session: Session,
    /,
    *,
    everything: bool,
    volumes: bool,
    force: bool,
    filtered: tuple[str, ...],
) -> None:
    if not confirmed(force, "Remove all that nothing uses?"):
        return
    wanted = filters(filtered)
    of_images = filters((*filtered, "dangling=false")) if everything else wanted
    freed = 0
    with engine(session) as client:
        for kind in ("containers", "networks", *(("volumes",) if volumes else ())):
            answer = client.document("POST", f"/{kind}/prune", {"filters": wanted})
            freed += _told(f"Deleted {kind.title()}:", answer, f"{kind.title()}Deleted")
        images = client.document("POST", "/images/prune", {"filters": of_images})
        if images["ImagesDeleted"]:
            click.echo("Deleted Images:")
            echo_removed(images["ImagesDeleted"])
            click.echo()
        built = client.document("POST", "/build/prune", {"all": everything, "filters": wanted})
        freed += images["SpaceReclaimed"]
        freed += _told("Deleted build cache objects:", built, "CachesDeleted")
    click.echo(f"Total reclaimed space: {size(freed, 4)}")


@click.command("prune", help="Remove what builds keep to be quicker the next time.")
@_ALL
@click.option("--keep-storage", "kept", default=None, help="Bytes that may stay.")
@WITHOUT_ASKING
@PRUNE_FILTER
@click.pass_obj
def builder_prune(
    session: Session,
    /,
    *,
    everything: bool,
    kept: str | None,
    force: bool,
    filtered: tuple[str, ...],
) -> None:
    if not confirmed(force, "Remove what builds keep?"):
        return
    query: Query = {"all": everything, "keep-storage": kept, "filters": filters(filtered)}
    with engine(session) as client:
        answer = client.document("POST", "/build/prune", query)
    freed = _told("Deleted build cache objects:", answer, "CachesDeleted")
    click.echo(f"Total reclaimed space: {size(freed, 4)}")


def _told(title: str, answer: dict[str, Any], field: str) -> int:
    """Show what was deleted, and give the bytes that were freed."""
    if deleted := answer.get(field):
        click.echo("\n".join([title, *deleted, ""]))
    return int(answer.get("SpaceReclaimed") or 0)
