"""`sampan down`: everything that runs is ended; the state and configuration folders stay."""

import click

from sampan.faces.cli import kubeconfig_merge
from sampan.faces.cli.progress import ProgressLine
from sampan.faces.cli.session import Session, require_root
from sampan.faces.cli.supervisor_client import NotRunning, demand


@click.command(help="End the cluster. Its state is kept: `sampan up` goes on from there.")
@click.pass_obj
def down(session: Session) -> None:
    require_root()
    with ProgressLine() as progress:
        try:
            demand(session.instance, "down", progress=progress)
        except NotRunning:
            progress("no supervisor is running")
        progress("removing networks, mounts and control groups")
        left = session.launcher.sweep(session.instance)
    kubeconfig_merge.withdraw(session.instance)
    if left:
        raise click.ClickException("could not be removed: " + "; ".join(left))
