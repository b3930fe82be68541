"""`sampan status`: the processes of the instance and the nodes as the API sees them."""

import json
from typing import Any

import click

from sampan.faces.cli import node_readiness
from sampan.faces.cli.progress import ProgressLine
from sampan.faces.cli.session import Session, require_root
from sampan.faces.cli.supervisor_client import demand_running
from sampan.faces.cli.text_table import text_table
from sampan.foundation.settings import Instance


@click.command(help="Show the nodes and processes of the cluster.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@click.pass_obj
def status(session: Session, output: str) -> None:
    require_root()
    found = describe(session.instance)
    if output == "json":
        click.echo(json.dumps(found))
        return
    click.echo(f"API server  {found['server']}  {'ready' if found['ready'] else 'not ready'}")
    click.echo()
    click.echo(nodes_table(found["nodes"]))
    click.echo()
    rows = [
        (item["role"], str(item["process"] or "-"), str(item["restarts"]))
        for item in found["processes"]
    ]
    click.echo(text_table(("PROCESS", "PID", "RESTARTS"), rows))


def describe(instance: Instance) -> dict[str, Any]:
    """What the supervisor tells, and with each node its `state` by the API."""
    found = demand_running(instance, "status", progress=ProgressLine())
    try:
        ready = node_readiness.ready_nodes(instance)
    except OSError:
        found["ready"] = False
        ready = {}
    for node in found["nodes"]:
        node["state"] = _state(node, ready)
    found["server"] = f"https://{instance.loopback_address}:{instance.api_port}"
    return found


def nodes_table(nodes: list[dict[str, Any]]) -> str:
    rows = [(node["name"], node["state"], node["address"]) for node in nodes]
    return text_table(("NODE", "STATUS", "ADDRESS"), rows)


def _state(node: dict[str, Any], ready: dict[str, bool]) -> str:
    if node["stopped"]:
        return "Stopped"
    if node["name"] not in ready:
        return "Unknown"
    return "Ready" if ready[node["name"]] else "NotReady"
