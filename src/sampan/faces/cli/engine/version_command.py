"""`version`: which program asks, and which engine answers."""

import platform
from typing import Any

import click

from sampan import __version__
from sampan.faces.cli.engine.asking import engine
from sampan.faces.cli.engine.listing import inspected
from sampan.faces.cli.session import Session

_CLIENT = (("Version", "Version"), ("OS/Arch", "Platform"), ("Python version", "Python"))
_SERVER = (
    ("Version", "Version"),
    ("API version", "ApiVersion"),
    ("Minimum API version", "MinAPIVersion"),
    ("Kernel version", "KernelVersion"),
    ("OS/Arch", "Platform"),
)


@click.command(help="Show the versions of this program and of the engine.")
@click.option("-f", "--format", "template", default="", help="json, or a template in Go's syntax.")
@click.pass_obj
def version(session: Session, /, template: str) -> None:
    client: dict[str, Any] = {
        "Version": __version__,
        "Os": platform.system().lower(),
        "Arch": platform.machine(),
        "Python": platform.python_version(),
    }
    with engine(session) as asked:
        server = asked.document("GET", "/version")
    if template:
        click.echo(inspected(template, [{"Client": client, "Server": server}]))
        return
    _show("Client:", _CLIENT, client)
    _show("\nServer:", _SERVER, server)


def _show(title: str, names: tuple[tuple[str, str], ...], document: dict[str, Any]) -> None:
    click.echo(title)
    shown = document | {"Platform": f"{document['Os']}/{document['Arch']}"}
    for name, field in names:
        click.echo(f" {name + ':':<21}{shown[field]}")
