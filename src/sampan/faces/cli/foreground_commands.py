"""`sampan server` and `sampan agent`: one part in the foreground, for those who supervise it
themselves."""

from typing import Any

import click

from sampan.faces.cli import remembered_datastore
from sampan.faces.cli.datastore_options import datastore_options, datastore_variables
from sampan.faces.cli.session import Session, require_root


@click.command(help="Run the control plane in the foreground until SIGTERM.")
@datastore_options
@click.pass_obj
def server(session: Session, /, **datastore: Any) -> None:
    require_root()
    instance = session.instance
    given = datastore_variables(instance, **datastore)
    session.launcher.serve(instance, given or remembered_datastore.recall(instance))


@click.command(help="Run a node in the foreground until SIGTERM; it stops its containers then.")
@click.option(
    "--number",
    type=click.IntRange(1, 50),
    default=1,
    show_default=True,
    help="Which node; 1 is this machine itself.",
)
@click.pass_obj
def agent(session: Session, number: int) -> None:
    require_root()
    session.launcher.act_as_node(session.instance, number)
