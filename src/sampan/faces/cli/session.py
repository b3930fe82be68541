"""What every command is given: the instance, and who can start and end its processes.

Commands know no host and no daemon: `Launcher` is handed in by whoever starts the command line.
"""

import os
from collections.abc import Mapping
from typing import Protocol

import click
import msgspec

from sampan.foundation.settings import Instance


class LaunchFailed(Exception):
    """The supervisor did not come up; the message says why and what to do."""


class Launcher(Protocol):
    """Runs parts of Sampan on this machine."""

    def start(self, instance: Instance, nodes: int, environment: Mapping[str, str]) -> None:
        """Start a supervisor in the background; returns once it takes demands.

        `nodes` 0 means as many as the last time; `environment` is added to this process's own.
        Raises LaunchFailed.
        """

    def sweep(self, instance: Instance) -> tuple[str, ...]:
        """End and remove all that an instance left on the machine but its state and
        configuration; tells what could not be removed."""

    def serve(self, instance: Instance, environment: Mapping[str, str]) -> None:
        """Be the server until SIGTERM; `environment` names its datastore."""

    def act_as_node(self, instance: Instance, number: int) -> None:
        """Be a node until SIGTERM."""


class Session(msgspec.Struct, frozen=True):
    """The context object of every command."""

    instance: Instance
    launcher: Launcher


def require_root() -> None:
    """Raises ClickException for anyone else."""
    if os.geteuid() != 0:
        raise click.ClickException("Sampan manages the machine: run it as root, e.g. with sudo")
