"""`sampan node`: the nodes of this machine."""

import json

import click

from sampan.faces.cli import node_readiness
from sampan.faces.cli.progress import ProgressLine
from sampan.faces.cli.session import Session, require_root
from sampan.faces.cli.status_command import describe, nodes_table
from sampan.faces.cli.supervisor_client import demand_running

READY_SECONDS = 60.0


@click.group(help="List, stop, start and kill the nodes of this machine.")
def node() -> None:
    require_root()


@node.command("list", help="List the nodes.")
@click.option("-o", "--output", type=click.Choice(["text", "json", "name"]), default="text")
@click.pass_obj
def list_nodes(session: Session, output: str) -> None:
    nodes = describe(session.instance)["nodes"]
    if output == "json":
        click.echo(json.dumps(nodes))
    elif output == "name":
        click.echo("\n".join(item["name"] for item in nodes))
    else:
        click.echo(nodes_table(nodes))


@node.command(help="Stop a node's containers, then its processes. Its disk is kept.")
@click.argument("name")
@click.pass_obj
def stop(session: Session, name: str) -> None:
    _demand(session, "node-stop", name)
    click.echo(f"{name} stopped")


@node.command(help="Start a node that was stopped or killed.")
@click.argument("name")
@click.pass_obj
def start(session: Session, name: str) -> None:
    with ProgressLine() as progress:
        started = demand_running(session.instance, "node-start", name=name, progress=progress)
        named = started["node"]
        progress(f"waiting for {named}")
        node_readiness.demand_ready(session.instance, {named: started["since"]}, READY_SECONDS)
    click.echo(f"{named} ready")


@node.command(
    short_help="Pull a node's plug.",
    help="Pull a node's plug: its link is cut and all its processes die at once.",
)
@click.argument("name")
@click.pass_obj
def kill(session: Session, name: str) -> None:
    _demand(session, "node-kill", name)
    click.echo(f"{name} killed")


def _demand(session: Session, action: str, name: str) -> None:
    with ProgressLine() as progress:
        demand_running(session.instance, action, name=name, progress=progress)
