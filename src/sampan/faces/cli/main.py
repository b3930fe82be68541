"""The command `sampan`: its global options and the table of its commands."""

import click

from sampan import __version__
from sampan.faces.cli.lazy_group import LazyGroup
from sampan.faces.cli.session import Launcher, Session
from sampan.foundation.settings import DEFAULT_NAME, Instance, InvalidInstanceName

_COMMANDS = "sampan.faces.cli"

TABLE = {
    "up": (f"{_COMMANDS}.up_command:up", "Start a cluster on this machine."),
    "down": (f"{_COMMANDS}.down_command:down", "End the cluster; its state is kept."),
    "status": (f"{_COMMANDS}.status_command:status", "Show what runs."),
    "node": (f"{_COMMANDS}.node_commands:node", "List, stop, start and kill nodes."),
    "secrets-encrypt": (
        f"{_COMMANDS}.secrets_encrypt_commands:secrets_encrypt",
        "Show and change the keys that encrypt Secrets.",
    ),
    "kubeconfig": (
        f"{_COMMANDS}.kubeconfig_command:kubeconfig",
        "Print the administrator's kubeconfig.",
    ),
    "build": (f"{_COMMANDS}.engine_commands:build", "Build an image from a Dockerfile."),
    "images": (f"{_COMMANDS}.engine_commands:images", "List images."),
    "load": (f"{_COMMANDS}.engine_commands:load", "Load images from an archive."),
    "run": (f"{_COMMANDS}.engine_commands:run", "Run a command in a new container."),
    "ps": (f"{_COMMANDS}.engine_commands:ps", "List containers."),
    "logs": (f"{_COMMANDS}.engine_commands:logs", "Show a container's output."),
    "exec": (f"{_COMMANDS}.engine_commands:exec_command", "Run a command in a container."),
    "stop": (f"{_COMMANDS}.engine_commands:stop", "Stop containers."),
    "rm": (f"{_COMMANDS}.engine_commands:rm", "Remove containers."),
    "server": (f"{_COMMANDS}.foreground_commands:server", "Run the control plane here."),
    "agent": (f"{_COMMANDS}.foreground_commands:agent", "Run a node here."),
}


@click.group(
    cls=LazyGroup,
    table=TABLE,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Sampan: containers and Kubernetes clusters on this machine.",
)
@click.option(
    "--instance",
    "name",
    default=DEFAULT_NAME,
    envvar="SAMPAN_INSTANCE",
    show_default=True,
    help="Which of the instances on this machine.",
)
@click.version_option(__version__, prog_name="sampan")
@click.pass_context
def sampan(context: click.Context, name: str) -> None:
    try:
        instance = Instance(name=name)
    except InvalidInstanceName as failure:
        raise click.BadParameter(str(failure), param_hint="--instance") from failure
    context.obj = Session(instance, context.obj)


def command_line(launcher: Launcher) -> None:
    """Run the command that this process was called with, and exit."""
    sampan(obj=launcher, prog_name="sampan")
