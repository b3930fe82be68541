"""The commands that list, hold, end and remove containers, with docker's verbs and options."""

import sys
import time
from collections.abc import Callable
from typing import Any

import click

from sampan.faces.cli.engine import run_command
from sampan.faces.cli.engine.asking import (
    LIST_FILTER,
    PRUNE_FILTER,
    WITHOUT_ASKING,
    ask_for_each,
    confirmed,
    engine,
    filters,
)
from sampan.faces.cli.engine.container_rows import CONTAINERS as LISTED
from sampan.faces.cli.engine.container_rows import SIZED_CONTAINERS, container_row
from sampan.faces.cli.engine.human_values import size
from sampan.faces.cli.engine.listing import WHOLE, show, with_list_options
from sampan.faces.cli.engine.names import CONTAINER, CONTAINERS, RUNNING_CONTAINERS
from sampan.faces.cli.engine.run_words import RunCommand
from sampan.faces.cli.session import Session


@click.command(cls=RunCommand, help="Run a command in a new container.")
@click.pass_obj
def run(session: Session, /, arguments: tuple[str, ...]) -> None:
    sys.exit(run_command.main(session.instance.name, list(arguments)))


@click.command(cls=RunCommand, help="Make a container.")
@click.pass_obj
def create(session: Session, /, arguments: tuple[str, ...]) -> None:
    sys.exit(run_command.main(session.instance.name, list(arguments), only_create=True))


@click.command(help="List containers.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that don't run.")
@click.option("-n", "--last", type=int, default=0, help="The last so many, whatever they do.")
@click.option("-l", "--latest", is_flag=True, help="The last one, whatever it does.")
@click.option("-s", "--size", "sized", is_flag=True, help="Show how large they are.")
@LIST_FILTER
@WHOLE
@with_list_options
@click.pass_obj
def ps(
    session: Session,
    /,
    *,
    everything: bool,
    last: int,
    latest: bool,
    sized: bool,
    filtered: tuple[str, ...],
    whole: bool,
    **shown: Any,
) -> None:
    last = 1 if latest else last
    query = {
        "all": everything or bool(last),
        "limit": last or None,
        "size": sized or any(it in shown["template"] for it in (".Size", "{{json .}}")),
        "filters": filters(filtered),
    }
    with engine(session) as client:
        found = client.document("GET", "/containers/json", query)
    rows = [container_row(container, time.time(), whole=whole) for container in found]
    show(rows, SIZED_CONTAINERS if sized else LISTED, documents=found, **shown)


def _holding(verb: str, text: str) -> click.Command:
    """A command that does one thing to every container named."""

    @click.command(verb, help=text)
    @RUNNING_CONTAINERS
    @click.pass_obj
    def command(session: Session, /, names: tuple[str, ...]) -> None:
        ask_for_each(session, names, "POST", f"/containers/{{}}/{verb}")

    return command


pause = _holding("pause", "Hold containers still.")
unpause = _holding("unpause", "Let held containers go on.")


def _ending(
    verb: str, text: str, argument: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> click.Command:
    @click.command(verb, help=text)
    @click.option("-t", "--timeout", "--time", "seconds", type=int, help="Seconds until SIGKILL.")
    @click.option("-s", "--signal", "sent", default="", help="Instead of the stop signal.")
    @argument
    @click.pass_obj
    def command(
        session: Session, /, names: tuple[str, ...], seconds: int | None, sent: str
    ) -> None:
        query = {"t": seconds, "signal": sent or None}
        ask_for_each(session, names, "POST", f"/containers/{{}}/{verb}", query)

    return command


stop = _ending("stop", "Stop containers.", RUNNING_CONTAINERS)
restart = _ending("restart", "Stop containers, and start them again.", CONTAINERS)


@click.command(help="Send a signal to containers.")
@click.option("-s", "--signal", "sent", default="KILL", show_default=True)
@RUNNING_CONTAINERS
@click.pass_obj
def kill(session: Session, /, names: tuple[str, ...], sent: str) -> None:
    ask_for_each(session, names, "POST", "/containers/{}/kill", {"signal": sent})


@click.command(help="Remove containers.")
@click.option("-f", "--force", is_flag=True, help="Also those that run.")
@click.option("-v", "--volumes", is_flag=True, help="With their anonymous volumes.")
@CONTAINERS
@click.pass_obj
def rm(session: Session, /, names: tuple[str, ...], force: bool, volumes: bool) -> None:
    query = {"force": force, "v": volumes}
    ask_for_each(session, names, "DELETE", "/containers/{}", query)


@click.command(help="Wait until containers end, and print their exit codes.")
@RUNNING_CONTAINERS
@click.pass_obj
def wait(session: Session, /, names: tuple[str, ...]) -> None:
    with engine(session) as client:
        for name in names:
            click.echo(client.document("POST", f"/containers/{name}/wait")["StatusCode"])


@click.command(help="Give a container another name.")
@CONTAINER
@click.argument("fresh")
@click.pass_obj
def rename(session: Session, /, name: str, fresh: str) -> None:
    with engine(session) as client:
        client.document("POST", f"/containers/{name}/rename", {"name": fresh})


@click.command("prune", help="Remove all containers that have ended.")
@WITHOUT_ASKING
@PRUNE_FILTER
@click.pass_obj
def prune(session: Session, /, force: bool, filtered: tuple[str, ...]) -> None:
    if not confirmed(force, "Remove all containers that have ended?"):
        return
    with engine(session) as client:
        answer = client.document("POST", "/containers/prune", {"filters": filters(filtered)})
    if deleted := answer["ContainersDeleted"]:
        click.echo("\n".join(["Deleted Containers:", *deleted, ""]))
    click.echo(f"Total reclaimed space: {size(answer['SpaceReclaimed'], 4)}")
