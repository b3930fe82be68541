"""`sampan up`: a cluster in the background, and the user's kubectl pointed at it."""

import json
from pathlib import Path
from typing import Any

import click

from sampan.faces.cli import kubeconfig_merge, node_readiness, remembered_datastore
from sampan.faces.cli.datastore_options import datastore_options, datastore_variables
from sampan.faces.cli.progress import ProgressLine
from sampan.faces.cli.session import LaunchFailed, Session, require_root
from sampan.faces.cli.supervisor_client import NotRunning, demand
from sampan.foundation.instance_name import command_prefix
from sampan.foundation.settings import Instance


@click.command(help="Start a cluster on this machine; what already runs is left as it is.")
@click.option(
    "--nodes",
    type=click.IntRange(1, 50),
    help="How many nodes; the first is this machine itself.  [default: as the last time, or 1]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(1),
    default=60,
    show_default=True,
    help="Seconds to wait until every node is Ready.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@datastore_options
@click.pass_obj
def up(
    session: Session, /, nodes: int | None, timeout: float, output: str, **datastore: Any
) -> None:
    require_root()
    instance = session.instance
    environment = datastore_variables(instance, **datastore)
    with ProgressLine() as progress:
        progress("starting")
        started = _start(session, nodes or 0, environment, progress)["nodes"]
        names = sorted(started, key=lambda name: (len(name), name))
        progress(f"waiting for {', '.join(names)}")
        node_readiness.demand_ready(instance, started, timeout)
    merged = _merge_kubeconfig(instance)
    if output == "json":
        click.echo(json.dumps({"nodes": names, "kubeconfig": str(merged)}))
        return
    click.echo(f"{len(names)} node{'s' if len(names) > 1 else ''} ready: {', '.join(names)}")
    click.echo(f"kubectl uses the context {instance.name!r} of {merged}", err=True)


def _start(
    session: Session, nodes: int, datastore: dict[str, str], progress: ProgressLine
) -> dict[str, dict[str, float]]:
    """A datastore is remembered once the server has taken requests on it."""
    instance = session.instance
    try:
        started = demand(instance, "up", nodes=nodes, progress=progress)
    except NotRunning:
        pass  # it is started below
    else:
        _demand_same(instance, datastore)
        return started
    chosen = datastore or remembered_datastore.recall(instance)
    try:
        session.launcher.start(instance, nodes, chosen)
        started = demand(instance, "up", nodes=nodes, progress=progress)
    except (LaunchFailed, NotRunning) as failure:
        raise click.ClickException(str(failure) or "the supervisor ended at once") from failure
    remembered_datastore.remember(instance, chosen)
    return started


def _demand_same(instance: Instance, datastore: dict[str, str]) -> None:
    """A cluster that runs keeps its datastore. Raises ClickException."""
    if datastore and remembered_datastore.is_another(instance, datastore):
        present = remembered_datastore.named(remembered_datastore.recall(instance))
        command = command_prefix(instance.name)
        raise click.ClickException(
            f"the cluster runs already, with the datastore {present}; "
            f"`{command} down` ends it, and it can be started with another then"
        )


def _merge_kubeconfig(instance: Instance) -> Path:
    try:
        return kubeconfig_merge.merge(instance)
    except OSError as failure:
        raise click.ClickException(
            f"the cluster runs, but your kubeconfig was left as it is: {failure}; "
            f"`{command_prefix(instance.name)} kubeconfig` prints the cluster's own"
        ) from failure
