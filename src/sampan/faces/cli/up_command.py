"""`sampan up`: a cluster in the background, and the user's kubectl pointed at it."""

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import click

from sampan.faces.cli import kubeconfig_merge, node_readiness, remembered_datastore
from sampan.faces.cli.datastore_options import datastore_options, datastore_variables
from sampan.faces.cli.progress import ProgressLine
from sampan.faces.cli.session import LaunchFailed, Session, require_root
from sampan.faces.cli.supervisor_client import NotRunning, demand
from sampan.foundation import node_prefix
from sampan.foundation.instance_name import command_prefix
from sampan.foundation.settings import Instance


class _Wanted(NamedTuple):
    """What a cluster is to be started with; None and nothing leave what was the last time."""

    nodes: int
    datastore: dict[str, str]
    prefix: str | None


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
@click.option(
    "--node-prefix",
    "prefix",
    envvar=node_prefix.VARIABLE,
    metavar="TEXT-",
    help="What the nodes' names begin with, where machines share a datastore.  "
    "[default: as the last time, or nothing]",
)
@datastore_options
@click.pass_obj
def up(
    session: Session,
    /,
    nodes: int | None,
    timeout: float,
    output: str,
    prefix: str | None,
    **datastore: Any,
) -> None:
    require_root()
    instance = session.instance
    wanted = _Wanted(nodes or 0, datastore_variables(instance, **datastore), _prefix(prefix))
    with ProgressLine() as progress:
        progress("starting")
        started = _start(session, wanted, progress)["nodes"]
        names = sorted(started, key=lambda name: (len(name), name))
        progress(f"waiting for {', '.join(names)}")
        node_readiness.demand_ready(instance, started, timeout)
    merged = _merge_kubeconfig(instance)
    if output == "json":
        click.echo(json.dumps({"nodes": names, "kubeconfig": str(merged)}))
        return
    click.echo(f"{len(names)} node{'s' if len(names) > 1 else ''} ready: {', '.join(names)}")
    click.echo(f"kubectl uses the context {instance.name!r} of {merged}", err=True)


def _prefix(given: str | None) -> str | None:
    """Raises BadParameter."""
    try:
        return None if given is None else node_prefix.checked(given)
    except node_prefix.InvalidPrefix as failure:
        raise click.BadParameter(str(failure), param_hint="--node-prefix") from failure


def _start(
    session: Session, wanted: _Wanted, progress: ProgressLine
) -> dict[str, dict[str, float]]:
    """A datastore is remembered once the server has taken requests on it."""
    instance = session.instance
    with contextlib.suppress(NotRunning):
        started = demand(instance, "up", nodes=wanted.nodes, progress=progress)
        _demand_same(instance, wanted, started["nodes"])
        return started
    chosen = wanted.datastore or remembered_datastore.recall(instance)
    named = {} if wanted.prefix is None else {node_prefix.VARIABLE: wanted.prefix}
    try:
        session.launcher.start(instance, wanted.nodes, {**chosen, **named})
        started = demand(instance, "up", nodes=wanted.nodes, progress=progress)
    except (LaunchFailed, NotRunning) as failure:
        raise click.ClickException(str(failure) or "the supervisor ended at once") from failure
    remembered_datastore.remember(instance, chosen)
    return started


def _demand_same(instance: Instance, wanted: _Wanted, names: Iterable[str]) -> None:
    """A cluster that runs keeps its datastore and its nodes' names. Raises ClickException."""
    present = ""
    if wanted.datastore and remembered_datastore.is_another(instance, wanted.datastore):
        recalled = remembered_datastore.recall(instance)
        present = f"the datastore {remembered_datastore.named(recalled)}"
    others = [it for it in names if it.rpartition("node-")[0] != (wanted.prefix or "")]
    if wanted.prefix is not None and others:
        present = f"nodes called {', '.join(others)}"
    if present:
        command = command_prefix(instance.name)
        raise click.ClickException(
            f"the cluster runs already, with {present}; "
            f"`{command} down` ends it, and it can be started otherwise then"
        )


def _merge_kubeconfig(instance: Instance) -> Path:
    try:
        return kubeconfig_merge.merge(instance)
    except OSError as failure:
        raise click.ClickException(
            f"the cluster runs, but your kubeconfig was left as it is: {failure}; "
            f"`{command_prefix(instance.name)} kubeconfig` prints the cluster's own"
        ) from failure
