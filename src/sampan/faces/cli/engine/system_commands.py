"""The commands on the engine as a whole: what it is, and what happens in it."""

from typing import Any

import click

from sampan.faces.cli.engine.asking import LIST_FILTER, engine, filters, moment_of
from sampan.faces.cli.engine.human_values import local_moment
from sampan.faces.cli.engine.listing import inspected
from sampan.faces.cli.session import Session

_TEMPLATE = click.option("-f", "--format", "template", default="", help="A template of fields.")


@click.command(help="Show what the engine is.")
@_TEMPLATE
@click.pass_obj
def info(session: Session, /, template: str) -> None:
    with engine(session) as client:
        found = client.document("GET", "/info")
    if template:
        click.echo(inspected(template, [found]))
        return
    for name, value in found.items():
        if isinstance(value, (str, int, float)) and value != "":
            click.echo(f"{name}: {value}")


@click.command(help="Show what happens in the engine, as it happens.")
@click.option("--since", default=None, help="From a time on.")
@click.option("--until", default=None, help="Up to a time.")
@LIST_FILTER
@click.option("--format", "template", default="", help="A template of fields, or json.")
@click.pass_obj
def events(
    session: Session,
    /,
    since: str | None,
    until: str | None,
    filtered: tuple[str, ...],
    template: str,
) -> None:
    query = {
        "since": moment_of(since) if since else None,
        "until": moment_of(until) if until else None,
        "filters": filters(filtered),
    }
    with engine(session) as client:
        for event in client.open("GET", "/events", query).messages():
            click.echo(_event_line(event, template))


def _event_line(event: dict[str, Any], template: str) -> str:
    if template:
        return inspected(template, [event])
    actor = event["Actor"]
    attributes = ", ".join(f"{name}={value}" for name, value in sorted(actor["Attributes"].items()))
    moment = local_moment(event["timeNano"])
    return f"{moment} {event['Type']} {event['Action']} {actor['ID']} ({attributes})"
