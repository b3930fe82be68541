"""`sampan kubeconfig`: the administrator's kubeconfig on standard output."""

import click

from sampan.faces.cli.session import Session, require_root


@click.command(help="Print the administrator's kubeconfig.")
@click.pass_obj
def kubeconfig(session: Session) -> None:
    require_root()
    try:
        click.echo(session.instance.kubeconfig.read_text(), nl=False)
    except FileNotFoundError:
        raise click.ClickException(
            f"there is no {session.instance.kubeconfig}; create the cluster first: sampan up"
        ) from None
