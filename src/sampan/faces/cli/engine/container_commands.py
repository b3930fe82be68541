"""The commands on the machine's own containers, with docker's verbs and options."""

import json
import os
import sys
import time
from typing import Any

import click

from sampan.faces.cli.engine import run_command
from sampan.faces.cli.engine.asking import (
    FILTER,
    FORCE,
    ask_for_each,
    confirmed,
    engine,
    filters,
)
from sampan.faces.cli.engine.human_values import age, short, size
from sampan.faces.cli.engine.listing import inspected, show, with_list_options
from sampan.faces.cli.engine.option_values import variables
from sampan.faces.cli.engine.streams import show_frames
from sampan.faces.cli.session import Session
from sampan.faces.cli.text_table import text_table

_WORDS = {"ignore_unknown_options": True, "allow_interspersed_args": False}
_COLUMNS = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "Created": "CREATED",
    "Status": "STATUS",
    "Ports": "PORTS",
    "Names": "NAMES",
}


@click.command(add_help_option=False, context_settings=_WORDS, help="Run a command in a container.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run(session: Session, /, arguments: tuple[str, ...]) -> None:
    sys.exit(run_command.main(session.instance.name, list(arguments)))


@click.command(add_help_option=False, context_settings=_WORDS, help="Make a container.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def create(session: Session, /, arguments: tuple[str, ...]) -> None:
    sys.exit(run_command.main(session.instance.name, list(arguments), only_create=True))


@click.command(help="List containers.")
@click.option("-a", "--all", "everything", is_flag=True, help="Also those that don't run.")
@click.option("-n", "--last", type=int, default=0, help="The last so many, whatever they do.")
@click.option("-s", "--size", "sized", is_flag=True, help="Show how large they are.")
@FILTER
@with_list_options
@click.pass_obj
def ps(
    session: Session,
    /,
    *,
    everything: bool,
    last: int,
    sized: bool,
    filtered: tuple[str, ...],
    whole: bool,
    **shown: Any,
) -> None:
    query = {
        "all": everything or bool(last),
        "limit": last or None,
        "size": sized,
        "filters": filters(filtered),
    }
    with engine(session) as client:
        found = client.document("GET", "/containers/json", query)
    columns = {**_COLUMNS, "Size": "SIZE"} if sized else _COLUMNS
    rows = [_row(container, whole) for container in found]
    show(rows, columns, name="Names", documents=found, **shown)


def _row(container: dict[str, Any], whole: bool) -> dict[str, Any]:
    return {
        "ID": container["Id"] if whole else short(container["Id"]),
        "Image": container["Image"],
        "Command": json.dumps(container["Command"][: None if whole else 20]),
        "Created": age(time.time() - container["Created"]),
        "Status": container["Status"],
        "State": container["State"],
        "Ports": ", ".join(_ports(container["Ports"])),
        "Names": ",".join(name.lstrip("/") for name in container["Names"]),
        "Size": size(container.get("SizeRw") or 0),
        "Networks": ",".join((container.get("NetworkSettings") or {}).get("Networks") or {}),
        "Labels": ",".join(f"{k}={v}" for k, v in (container["Labels"] or {}).items()),
    }


def _ports(ports: list[dict[str, Any]]) -> list[str]:
    return [
        f"{port['IP']}:{port['PublicPort']}->{port['PrivatePort']}/{port['Type']}"
        if port.get("PublicPort")
        else f"{port['PrivatePort']}/{port['Type']}"
        for port in ports
    ]


@click.command(help="Show a container's output.")
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on until it ends.")
@click.option("-n", "--tail", default="all", help="Only so many lines from the end.")
@click.option("-t", "--timestamps", is_flag=True, help="Begin each line with its time.")
@click.option("--since", default="", help="Only after a time.")
@click.option("--until", default="", help="Only before a time.")
@click.pass_obj
def logs(session: Session, /, name: str, **options: Any) -> None:
    query = {key: value for key, value in options.items() if value != ""}
    query |= {"stdout": True, "stderr": True}
    with engine(session) as client:
        has_terminal = client.document("GET", f"/containers/{name}/json")["Config"]["Tty"]
        answer = client.open("GET", f"/containers/{name}/logs", query)
        if has_terminal:
            for piece in answer.pieces():
                sys.stdout.buffer.write(piece)
        else:
            show_frames(answer)


@click.command("exec", context_settings=_WORDS, help="Run a command in a running container.")
@click.option("-d", "--detach", is_flag=True, help="Don't wait for it.")
@click.option("-i", "--interactive", is_flag=True, help="Pass standard input on.")
@click.option("-t", "--tty", "terminal", is_flag=True, help="Give it a terminal.")
@click.option("-e", "--env", "settings", multiple=True, metavar="NAME=VALUE")
@click.option("-u", "--user", default="", help="Names or numbers.")
@click.option("-w", "--workdir", default="", help="Where the command starts.")
@click.option("--privileged", is_flag=True)
@click.argument("name")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def exec_command(
    session: Session, /, *, name: str, command: tuple[str, ...], **options: Any
) -> None:
    terminal, interactive = options["terminal"], options["interactive"] and not options["detach"]
    if terminal and interactive and not os.isatty(0):
        raise click.UsageError("standard input is no terminal: leave out -t")
    document = {
        "Cmd": list(command),
        "Tty": terminal,
        "AttachStdin": interactive,
        "AttachStdout": not options["detach"],
        "AttachStderr": not options["detach"],
        "Env": [line for text in options["settings"] for line in variables(text, os.environ)],
        "User": options["user"],
        "WorkingDir": options["workdir"],
        "Privileged": options["privileged"],
    }
    with engine(session, runs_command=True) as client:
        made = client.document("POST", f"/containers/{name}/exec", None, document)["Id"]
        start = {"Detach": options["detach"], "Tty": terminal}
        if options["detach"]:
            client.document("POST", f"/exec/{made}/start", None, start)
            return
        carried = client.upgraded(f"/exec/{made}/start", None, start)
        run_command.relay_of(
            client,
            f"/exec/{made}",
            carried,
            interactive=interactive,
            terminal=terminal,
            passes_signals=False,
        ).carry()
        sys.exit(client.document("GET", f"/exec/{made}/json")["ExitCode"])


@click.command(help="Pass a running container's streams to and fro.")
@click.option("--no-stdin", is_flag=True, help="Pass no input on.")
@click.option("--sig-proxy/--no-sig-proxy", default=True)
@click.argument("name")
@click.pass_obj
def attach(session: Session, /, name: str, no_stdin: bool, sig_proxy: bool) -> None:
    with engine(session) as client:
        configuration = client.document("GET", f"/containers/{name}/json")["Config"]
        interactive = bool(configuration["OpenStdin"]) and not no_stdin
        query = {"stream": True, "stdout": True, "stderr": True, "stdin": interactive}
        carried = client.upgraded(f"/containers/{name}/attach", query)
        run_command.relay_of(
            client,
            f"/containers/{name}",
            carried,
            interactive=interactive,
            terminal=configuration["Tty"],
            passes_signals=sig_proxy,
        ).carry()
        sys.exit(client.document("GET", f"/containers/{name}/json")["State"]["ExitCode"])


def _verb(verb: str, text: str) -> click.Command:
    """A command that does one thing to every container named."""

    @click.command(verb, help=text)
    @click.argument("names", nargs=-1, required=True)
    @click.pass_obj
    def command(session: Session, /, names: tuple[str, ...]) -> None:
        ask_for_each(session, names, "POST", f"/containers/{{}}/{verb}")

    return command


start = _verb("start", "Start containers that have ended.")
pause = _verb("pause", "Hold containers still.")
unpause = _verb("unpause", "Let held containers go on.")


def _ending(verb: str, text: str) -> click.Command:
    @click.command(verb, help=text)
    @click.option("-t", "--time", "--timeout", "seconds", type=int, help="Seconds until SIGKILL.")
    @click.option("-s", "--signal", "sent", default="", help="Instead of the stop signal.")
    @click.argument("names", nargs=-1, required=True)
    @click.pass_obj
    def command(
        session: Session, /, names: tuple[str, ...], seconds: int | None, sent: str
    ) -> None:
        query = {"t": seconds, "signal": sent or None}
        ask_for_each(session, names, "POST", f"/containers/{{}}/{verb}", query)

    return command


stop = _ending("stop", "Stop containers.")
restart = _ending("restart", "Stop containers, and start them again.")


@click.command(help="Send a signal to containers.")
@click.option("-s", "--signal", "sent", default="KILL", show_default=True)
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def kill(session: Session, /, names: tuple[str, ...], sent: str) -> None:
    ask_for_each(session, names, "POST", "/containers/{}/kill", {"signal": sent})


@click.command(help="Remove containers.")
@click.option("-f", "--force", is_flag=True, help="Also those that run.")
@click.option("-v", "--volumes", is_flag=True, help="With their anonymous volumes.")
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def rm(session: Session, /, names: tuple[str, ...], force: bool, volumes: bool) -> None:
    query = {"force": force, "v": volumes}
    ask_for_each(session, names, "DELETE", "/containers/{}", query)


@click.command(help="Wait until containers end, and print their exit codes.")
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def wait(session: Session, /, names: tuple[str, ...]) -> None:
    with engine(session) as client:
        for name in names:
            click.echo(client.document("POST", f"/containers/{name}/wait")["StatusCode"])


@click.command(help="Give a container another name.")
@click.argument("name")
@click.argument("fresh")
@click.pass_obj
def rename(session: Session, /, name: str, fresh: str) -> None:
    with engine(session) as client:
        client.document("POST", f"/containers/{name}/rename", {"name": fresh})


@click.command(help="Show a container's processes.")
@click.argument("name")
@click.argument("arguments", nargs=-1)
@click.pass_obj
def top(session: Session, /, name: str, arguments: tuple[str, ...]) -> None:
    query = {"ps_args": " ".join(arguments) or None}
    with engine(session) as client:
        found = client.document("GET", f"/containers/{name}/top", query)
    click.echo(text_table(found["Titles"], found["Processes"]))


@click.command(help="Show what a container has changed in its files.")
@click.argument("name")
@click.pass_obj
def diff(session: Session, /, name: str) -> None:
    with engine(session) as client:
        for change in client.document("GET", f"/containers/{name}/changes") or ():
            click.echo(f"{'CAD'[change['Kind']]} {change['Path']}")


@click.command(help="Show which ports of the machine lead to a container.")
@click.argument("name")
@click.pass_obj
def port(session: Session, /, name: str) -> None:
    with engine(session) as client:
        settings = client.document("GET", f"/containers/{name}/json")["NetworkSettings"]
    for inner, bindings in (settings.get("Ports") or {}).items():
        for binding in bindings or ():
            click.echo(f"{inner} -> {binding['HostIp']}:{binding['HostPort']}")


@click.command(help="Show all that is known of containers, images, networks or volumes.")
@click.option("-f", "--format", "template", default="", help="A template of fields.")
@click.option(
    "--type", "kind", type=click.Choice(["container", "image", "network", "volume"]), default=None
)
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def inspect(session: Session, /, names: tuple[str, ...], template: str, kind: str | None) -> None:
    with engine(session) as client:
        found = [_inspected(client, name, kind) for name in names]
    if template:
        for document in found:
            click.echo(inspected(template, document))
    else:
        click.echo(inspected("", found))


_PLACES = {
    "container": "/containers/{}/json",
    "image": "/images/{}/json",
    "network": "/networks/{}",
    "volume": "/volumes/{}",
}


def _inspected(client: Any, name: str, kind: str | None) -> Any:
    from sampan.faces.cli.engine.api_client import EngineRefused

    for place in [_PLACES[kind]] if kind else _PLACES.values():
        try:
            return client.document("GET", place.format(name))
        except EngineRefused as error:
            if error.status != 404:
                raise
    raise EngineRefused(f"No such {kind or 'object'}: {name}", 404)


@click.command("container-prune", help="Remove all containers that have ended.")
@FORCE
@FILTER
@click.pass_obj
def container_prune(session: Session, /, force: bool, filtered: tuple[str, ...]) -> None:
    if confirmed(force, "Remove all containers that have ended?"):
        with engine(session) as client:
            answer = client.document("POST", "/containers/prune", {"filters": filters(filtered)})
        for identifier in answer["ContainersDeleted"] or ():
            click.echo(identifier)
        click.echo(f"Total reclaimed space: {size(answer['SpaceReclaimed'])}")
