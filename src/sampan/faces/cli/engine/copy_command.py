"""`cp`: files between this machine and a container."""

import click

from sampan.faces.cli.engine.asking import EngineFailure, engine
from sampan.faces.cli.engine.human_values import size
from sampan.faces.cli.session import Session


@click.command("cp", help="Copy files between this machine and a container; - is a tar archive.")
@click.option("-a", "--archive", "keeps_owners", is_flag=True, help="With their owners.")
@click.option("-L", "--follow-link", "follows", is_flag=True, help="What a symlink leads to.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing.")
@click.argument("source", metavar="SOURCE|CONTAINER:SOURCE|-")
@click.argument("target", metavar="TARGET|CONTAINER:TARGET|-")
@click.pass_obj
def copy(
    session: Session,
    /,
    *,
    source: str,
    target: str,
    keeps_owners: bool,
    follows: bool,
    quiet: bool,
) -> None:
    origin, inside = _place(source)
    container, path = _place(target)
    if origin and container:
        raise EngineFailure("copying between containers is not supported")
    if not (origin or container):
        raise EngineFailure("must specify at least one container source")
    # What unpacks archives takes longer to import than a help page may.
    from sampan.faces.cli.engine.container_copy import CopyIn, CopyOut

    with engine(session) as client:
        if origin:
            count = CopyOut(client, origin, keeps_owners).copy(inside, target, follows)
        else:
            count = CopyIn(client, container, keeps_owners).copy(source, path, follows)
    if count and not quiet:
        click.echo(f"Successfully copied {size(count)} to {target}", err=True)


def _place(text: str) -> tuple[str, str]:
    """Container and path; "" for this machine, whose paths begin with / or . or have no colon."""
    container, colon, path = text.partition(":")
    if not colon or text.startswith(("/", ".")):
        return "", text
    return container, path
