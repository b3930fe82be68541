"""The commands that pass streams of containers to and fro, with docker's verbs and options."""

import os
import sys
from typing import Any

import click

from sampan.faces.cli.engine import run_command
from sampan.faces.cli.engine.api_client import EngineClient
from sampan.faces.cli.engine.asking import EngineFailure, ask_for_each, engine, moment_of
from sampan.faces.cli.engine.names import CONTAINER, CONTAINERS, RUNNING_CONTAINER
from sampan.faces.cli.engine.option_values import lines_of, variables
from sampan.faces.cli.engine.streams import Relay, show_frames
from sampan.faces.cli.session import Session

_WORDS = {"allow_interspersed_args": False}
_DETACH_KEYS = click.option("--detach-keys", default="", help="What to type to leave it running.")
_SIGNALS = click.option(
    "--sig-proxy/--no-sig-proxy", default=True, help="Pass signals on to the process."
)


@click.command(help="Show a container's output.")
@CONTAINER
@click.option("-f", "--follow", is_flag=True, help="Go on until it ends.")
@click.option("-n", "--tail", default="all", help="Only so many lines from the end.")
@click.option("-t", "--timestamps", is_flag=True, help="Begin each line with its time.")
@click.option("--since", default="", help="Only after a time.")
@click.option("--until", default="", help="Only before a time.")
@click.option("--details", is_flag=True, help="With the labels and variables that are logged.")
@click.pass_obj
def logs(session: Session, /, name: str, **options: Any) -> None:
    query = {key: value for key, value in options.items() if value != ""}
    query |= {it: moment_of(query[it]) for it in ("since", "until") if it in query}
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
@_DETACH_KEYS
@click.option("-i", "--interactive", is_flag=True, help="Pass standard input on.")
@click.option("-t", "--tty", "terminal", is_flag=True, help="Give it a terminal.")
@click.option("-e", "--env", "settings", multiple=True, metavar="NAME=VALUE")
@click.option("--env-file", "files", multiple=True, help="A file of such lines.")
@click.option("-u", "--user", default="", help="Names or numbers.")
@click.option("-w", "--workdir", default="", help="Where the command starts.")
@click.option("--privileged", is_flag=True, help="With all capabilities and devices.")
@RUNNING_CONTAINER
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
        "DetachKeys": options["detach_keys"],
        "Env": _settings(options["files"], options["settings"]),
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
        relay = run_command.relay_of(
            client,
            f"/exec/{made}",
            carried,
            interactive=interactive,
            terminal=terminal,
            passes_signals=False,
        )
        _carry(relay, options["detach_keys"])
        sys.exit(client.document("GET", f"/exec/{made}/json")["ExitCode"])


def _carry(relay: Relay, detach_keys: str) -> None:
    """To the end. Raises EngineFailure when the user has left before, and ConnectionError."""
    relay.carry()
    if relay.was_left(detach_keys):
        raise EngineFailure("read escape sequence")


def _settings(files: tuple[str, ...], texts: tuple[str, ...]) -> list[str]:
    """Raises UsageError."""
    try:
        lines = [line for path in files for line in lines_of(path)]
        return [it for text in (*lines, *texts) for it in variables(text, os.environ)]
    except ValueError as error:
        raise click.UsageError(f"{error} can't be read as NAME=VALUE") from error


@click.command(help="Pass a running container's streams to and fro.")
@_DETACH_KEYS
@click.option("--no-stdin", is_flag=True, help="Pass no input on.")
@_SIGNALS
@RUNNING_CONTAINER
@click.pass_obj
def attach(
    session: Session, /, name: str, detach_keys: str, no_stdin: bool, sig_proxy: bool
) -> None:
    with engine(session) as client:
        found = client.document("GET", f"/containers/{name}/json")
        _check_attachable(found["State"])
        carried = _Attached(client, name, found["Config"], detach_keys, with_input=not no_stdin)
        sys.exit(carried.carry(passes_signals=sig_proxy))


@click.command(help="Start containers that have ended.")
@click.option("-a", "--attach", "attached", is_flag=True, help="Show its output, and wait for it.")
@click.option("-i", "--interactive", is_flag=True, help="Pass standard input on as well.")
@_DETACH_KEYS
@CONTAINERS
@click.pass_obj
def start(
    session: Session,
    /,
    names: tuple[str, ...],
    attached: bool,
    interactive: bool,
    detach_keys: str,
) -> None:
    if not attached and not interactive:
        ask_for_each(session, names, "POST", "/containers/{}/start")
        return
    if len(names) > 1:
        raise click.UsageError("only one container at a time can be started and attached to")
    with engine(session, runs_command=True) as client:
        configuration = client.document("GET", f"/containers/{names[0]}/json")["Config"]
        carried = _Attached(client, names[0], configuration, detach_keys, with_input=interactive)
        client.document("POST", f"/containers/{names[0]}/start")
        sys.exit(carried.carry(passes_signals=True))


def _check_attachable(state: dict[str, Any]) -> None:
    """Raises EngineFailure, in docker's words."""
    if not state["Running"]:
        raise EngineFailure("You cannot attach to a stopped container, start it and try again")
    if state["Paused"]:
        raise EngineFailure("You cannot attach to a paused container, unpause it first")


class _Attached:
    """The streams of a container, there from before it is started."""

    def __init__(
        self,
        client: EngineClient,
        name: str,
        configuration: dict[str, Any],
        detach_keys: str,
        *,
        with_input: bool,
    ) -> None:
        self._client = client
        self._path = f"/containers/{name}"
        self._terminal = bool(configuration["Tty"])
        self._interactive = with_input and bool(configuration["OpenStdin"])
        query = {"stream": True, "stdout": True, "stderr": True, "stdin": self._interactive}
        keys = {"detachKeys": detach_keys} if detach_keys else {}
        self._keys = detach_keys
        self._ended = client.open("POST", f"{self._path}/wait", {"condition": "next-exit"})
        self._carried = client.upgraded(f"{self._path}/attach", {**query, **keys})

    def carry(self, *, passes_signals: bool) -> int:
        """The container's exit code. Raises as the client does, and EngineFailure when it runs on
        because its user has detached from it."""
        relay = run_command.relay_of(
            self._client,
            self._path,
            self._carried,
            interactive=self._interactive,
            terminal=self._terminal,
            passes_signals=passes_signals,
        )
        _carry(relay, self._keys)
        return int(self._ended.document()["StatusCode"])
