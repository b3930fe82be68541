"""`sampan kubeconfig`: the administrator's kubeconfig on standard output."""

import click

from sampan.faces.cli.session import Session, require_root
from sampan.foundation.instance_name import command_prefix


@click.command(help="Print the administrator's kubeconfig.")
@click.pass_obj
def kubeconfig(session: Session) -> None:
    require_root()
    try:
        click.echo(session.instance.kubeconfig.read_text(), nl=False)
    except FileNotFoundError:
        raise click.ClickException(
            f"there is no {session.instance.kubeconfig}; "
            f"create the cluster first: {command_prefix(session.instance.name)} up"
        ) from None
