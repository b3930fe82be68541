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
    if problem := _withdraw_context(session):
        left = (*left, problem)
    if left:
        raise click.ClickException("could not be removed: " + "; ".join(left))


def _withdraw_context(session: Session) -> str:
    """What kept the cluster's context in the user's kubeconfig; "" when it is gone."""
    try:
        kubeconfig_merge.withdraw(session.instance)
    except OSError as failure:
        return f"the context {session.instance.name!r} of your kubeconfig: {failure}"
    return ""
