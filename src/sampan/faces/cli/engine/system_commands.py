"""The commands on the engine as a whole: what it is, holds, does and can let go of."""

import json
import time
from typing import Any

import click

from sampan.faces.cli.engine.asking import (
    LIST_FILTER,
    WITHOUT_ASKING,
    confirmed,
    engine,
    filters,
)
from sampan.faces.cli.engine.human_values import size
from sampan.faces.cli.engine.listing import inspected
from sampan.faces.cli.session import Session
from sampan.faces.cli.text_table import text_table

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
    query = {"since": since, "until": until, "filters": filters(filtered)}
    with engine(session) as client:
        for event in client.open("GET", "/events", query).messages():
            click.echo(_event_line(event, template))


def _event_line(event: dict[str, Any], template: str) -> str:
    if template:
        return inspected(template, [event])
    actor = event["Actor"]
    attributes = ", ".join(f"{name}={value}" for name, value in actor["Attributes"].items())
    moment = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(event["time"]))
    return f"{moment} {event['Type']} {event['Action']} {actor['ID']} ({attributes})"


@click.command(help="Show how much room images, containers, volumes and builds take.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@click.pass_obj
def df(session: Session, /, output: str) -> None:
    with engine(session) as client:
        found = client.document("GET", "/v1.43/system/df")
    if output == "json":
        click.echo(json.dumps(found))
        return
    sizes = {
        "Images": [image["Size"] for image in found["Images"] or ()],
        "Containers": [item.get("SizeRw") or 0 for item in found["Containers"] or ()],
        "Local Volumes": [item["UsageData"]["Size"] for item in found["Volumes"] or ()],
        "Build Cache": [record["Size"] for record in found["BuildCache"] or ()],
    }
    rows = [(name, str(len(taken)), size(sum(taken))) for name, taken in sizes.items()]
    click.echo(text_table(("TYPE", "TOTAL", "SIZE"), rows))


@click.command("prune", help="Remove all that nothing uses.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also images that have a name.")
@click.option("--volumes", is_flag=True, help="Also anonymous volumes.")
@WITHOUT_ASKING
@click.pass_obj
def system_prune(session: Session, /, everything: bool, volumes: bool, force: bool) -> None:
    if not confirmed(force, "Remove all that nothing uses?"):
        return
    unnamed = filters(("dangling=false",)) if everything else None
    kinds: dict[str, str | None] = {"/containers/prune": None, "/networks/prune": None}
    kinds |= {"/volumes/prune": None} if volumes else {}
    kinds |= {"/images/prune": unnamed, "/build/prune": None}
    freed = 0
    with engine(session) as client:
        for path, filtered in kinds.items():
            answer = client.document("POST", path, {"filters": filtered})
            freed += answer.get("SpaceReclaimed") or 0
    click.echo(f"Total reclaimed space: {size(freed)}")


@click.command(help="Show what containers use, as it changes.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that don't run.")
@click.option("--no-stream", is_flag=True, help="Once only.")
@click.argument("names", nargs=-1)
@click.pass_obj
def stats(session: Session, /, names: tuple[str, ...], everything: bool, no_stream: bool) -> None:
    header = ("CONTAINER", "NAME", "CPU %", "MEM USAGE / LIMIT", "NET I/O", "BLOCK I/O", "PIDS")
    with engine(session) as client:
        while True:
            wanted = names or [
                found["Id"]
                for found in client.document("GET", "/containers/json", {"all": everything})
            ]
            rows = []
            for name in wanted:
                sample = client.document("GET", f"/containers/{name}/stats", {"stream": False})
                rows.append(_usage_row(sample))
            if not no_stream:
                click.clear()
            click.echo(text_table(header, rows))
            if no_stream:
                return


def _usage_row(sample: dict[str, Any]) -> tuple[str, ...]:
    now, before = sample["cpu_stats"], sample["precpu_stats"]
    spent = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    passed = (now.get("system_cpu_usage") or 0) - (before.get("system_cpu_usage") or 0)
    share = spent / passed * (now.get("online_cpus") or 1) * 100 if passed > 0 else 0.0
    memory = sample["memory_stats"]
    networks = (sample.get("networks") or {}).values()
    blocks = (sample.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    moved = {
        kind: sum(block["value"] for block in blocks if block["op"].lower() == kind)
        for kind in ("read", "write")
    }
    return (
        str(sample["id"])[:12],
        str(sample["name"]).lstrip("/"),
        f"{share:.2f}%",
        f"{size(memory.get('usage', 0))} / {size(memory.get('limit', 0))}",
        f"{size(sum(n['rx_bytes'] for n in networks))} / "
        f"{size(sum(n['tx_bytes'] for n in networks))}",
        f"{size(moved['read'])} / {size(moved['write'])}",
        str((sample.get("pids_stats") or {}).get("current", 0)),
    )
