"""The command line's end of the supervisor's socket: one demand, lines of JSON back."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import click

from sampan.foundation.instance_name import command_prefix
from sampan.foundation.settings import Instance


class NotRunning(Exception):
    """No supervisor takes demands."""


def demand(
    instance: Instance,
    action: str,
    *,
    nodes: int = 0,
    name: str = "",
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """The result of a demand. Raises NotRunning, or ClickException with the refusal."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(instance.run_folder / "supervisor.sock"))
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotRunning from None
        request = {"action": action, "nodes": nodes, "name": name}
        with contextlib.suppress(ConnectionError):  # the answers tell
            connection.sendall(json.dumps(request).encode() + b"\n")
        for answer in _answers(connection):
            if "error" in answer:
                raise click.ClickException(answer["error"])
            if "result" in answer:
                result: dict[str, Any] = answer["result"]
                return result
            progress(answer["progress"])
    raise click.ClickException(
        "the supervisor ended without an answer; its log is "
        f"{instance.state_folder / 'log' / 'supervisor.log'}"
    )


def _answers(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """What the supervisor says until it is done, or is no more."""
    with connection.makefile("rb") as lines, contextlib.suppress(ConnectionError):
        for line in lines:
            yield json.loads(line)


def demand_running(
    instance: Instance, action: str, *, name: str = "", progress: Callable[[str], None]
) -> dict[str, Any]:
    """As `demand`, with the advice to start the cluster when it isn't running."""
    try:
        return demand(instance, action, name=name, progress=progress)
    except NotRunning:
        raise click.ClickException(
            f"the cluster is not running; start it: {command_prefix(instance.name)} up"
        ) from None
