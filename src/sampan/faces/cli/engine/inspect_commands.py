"""The commands that show what there is to know of something, with docker's verbs and options."""

from collections.abc import Sequence
from typing import Any

import click

from sampan.faces.cli.engine import names as complete
from sampan.faces.cli.engine.api_client import EngineClient, EngineRefused
from sampan.faces.cli.engine.asking import EngineFailure, engine
from sampan.faces.cli.engine.listing import inspected
from sampan.faces.cli.engine.names import CONTAINER, RUNNING_CONTAINER
from sampan.faces.cli.session import Session
from sampan.faces.cli.text_table import aligned

_PLACES = {
    "container": "/containers/{}/json",
    "image": "/images/{}/json",
    "network": "/networks/{}",
    "volume": "/volumes/{}",
}
_COMPLETIONS = {
    "container": complete.complete_containers,
    "image": complete.complete_images,
    "network": complete.complete_networks,
    "volume": complete.complete_volumes,
}
_TEMPLATE = click.option(
    "-f", "--format", "template", default="", help="json, or a template in Go's syntax."
)
_SIZES = click.option("-s", "--size", "sized", is_flag=True, help="With containers' sizes.")
_TOP_WIDTH = 20


@click.command(help="Show all that is known of containers, images, networks or volumes.")
@_TEMPLATE
@_SIZES
@click.option("--type", "kind", type=click.Choice([*_PLACES]), default=None)
@click.argument("names", nargs=-1, required=True, shell_complete=complete.complete_all)
@click.pass_obj
def inspect(
    session: Session, /, names: tuple[str, ...], template: str, kind: str | None, sized: bool
) -> None:
    _inspect(session, names, [kind] if kind else [*_PLACES], template, sized=sized)


def _inspection(kind: str) -> click.Command:
    """The command `inspect` of one kind."""

    @click.command("inspect", help=f"Show all that is known of {kind}s.")
    @_TEMPLATE
    @_SIZES
    @click.argument("names", nargs=-1, required=True, shell_complete=_COMPLETIONS[kind])
    @click.pass_obj
    def command(session: Session, /, names: tuple[str, ...], template: str, sized: bool) -> None:
        _inspect(session, names, [kind], template, sized=sized)

    return command


inspect_container = _inspection("container")
inspect_image = _inspection("image")
inspect_network = _inspection("network")
inspect_volume = _inspection("volume")


def _inspect(
    session: Session, names: Sequence[str], kinds: Sequence[str], template: str, *, sized: bool
) -> None:
    """Show those that there are, and fail for the others."""
    found, missing = [], []
    with engine(session) as client:
        for name in names:
            document = _document(client, name, kinds, sized=sized)
            if document is None:
                missing.append(f"No such {kinds[0] if len(kinds) == 1 else 'object'}: {name}")
            else:
                found.append(document)
    if found or not template:
        click.echo(inspected(template, found))
    if missing:
        raise EngineFailure("\n".join(missing))


def _document(client: EngineClient, name: str, kinds: Sequence[str], *, sized: bool) -> Any:
    """None if there is none of that name."""
    for kind in kinds:
        query = {"size": True} if sized and kind == "container" else None
        try:
            return client.document("GET", _PLACES[kind].format(name), query)
        except EngineRefused as error:
            if error.status != 404:
                raise
    return None


_WORDS = {"allow_interspersed_args": False}


@click.command(context_settings=_WORDS, help="Show a container's processes, with options of ps.")
@RUNNING_CONTAINER
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def top(session: Session, /, name: str, arguments: tuple[str, ...]) -> None:
    query = {"ps_args": " ".join(arguments) or None}
    with engine(session) as client:
        found = client.document("GET", f"/containers/{name}/top", query)
    lines = ["\t".join(cells) for cells in (found["Titles"], *found["Processes"])]
    for line in aligned(lines, _TOP_WIDTH):
        click.echo(line)


@click.command(help="Show what a container has changed in its files.")
@CONTAINER
@click.pass_obj
def diff(session: Session, /, name: str) -> None:
    with engine(session) as client:
        for change in client.document("GET", f"/containers/{name}/changes") or ():
            click.echo(f"{'CAD'[change['Kind']]} {change['Path']}")


@click.command(help="Show which ports of the machine lead to a container, or to one port of it.")
@CONTAINER
@click.argument("inner", metavar="[PORT[/PROTOCOL]]", default="")
@click.pass_obj
def port(session: Session, /, name: str, inner: str) -> None:
    with engine(session) as client:
        settings = client.document("GET", f"/containers/{name}/json")["NetworkSettings"]
    ports = settings.get("Ports") or {}
    if not inner:
        for known in sorted(ports):
            for binding in ports[known] or ():
                click.echo(f"{known} -> {_address(binding)}")
        return
    wanted = inner if "/" in inner else f"{inner}/tcp"
    bindings = ports.get(wanted) or ()
    if not bindings:
        raise EngineFailure(f"no public port '{wanted}' published for {name}")
    for binding in bindings:
        click.echo(_address(binding))


def _address(binding: dict[str, str]) -> str:
    host = binding["HostIp"]
    return f"[{host}]:{binding['HostPort']}" if ":" in host else f"{host}:{binding['HostPort']}"
