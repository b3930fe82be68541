"""The command `sampan`: its global options and the table of its commands."""

import click

from sampan import __version__
from sampan.faces.cli.exit_codes import CommandLine
from sampan.faces.cli.session import Launcher, Session
from sampan.foundation.settings import DEFAULT_NAME, Instance, InvalidInstanceName

_COMMANDS = "sampan.faces.cli"
_ENGINE = "sampan.faces.cli.engine"

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
    "build": (f"{_ENGINE}.build_command:build", "Build an image from a Dockerfile."),
    "run": (f"{_ENGINE}.container_commands:run", "Run a command in a new container."),
    "create": (f"{_ENGINE}.container_commands:create", "Make a container."),
    "ps": (f"{_ENGINE}.container_commands:ps", "List containers."),
    "start": (f"{_ENGINE}.stream_commands:start", "Start containers that have ended."),
    "stop": (f"{_ENGINE}.container_commands:stop", "Stop containers."),
    "restart": (
        f"{_ENGINE}.container_commands:restart",
        "Stop containers, and start them again.",
    ),
    "kill": (f"{_ENGINE}.container_commands:kill", "Send a signal to containers."),
    "pause": (f"{_ENGINE}.container_commands:pause", "Hold containers still."),
    "unpause": (f"{_ENGINE}.container_commands:unpause", "Let held containers go on."),
    "rm": (f"{_ENGINE}.container_commands:rm", "Remove containers."),
    "exec": (
        f"{_ENGINE}.stream_commands:exec_command",
        "Run a command in a running container.",
    ),
    "attach": (
        f"{_ENGINE}.stream_commands:attach",
        "Pass a running container's streams to and fro.",
    ),
    "logs": (f"{_ENGINE}.stream_commands:logs", "Show a container's output."),
    "top": (f"{_ENGINE}.inspect_commands:top", "Show a container's processes."),
    "stats": (f"{_ENGINE}.statistics_command:stats", "Show what containers use, as it changes."),
    "port": (
        f"{_ENGINE}.inspect_commands:port",
        "Show which ports of the machine lead to a container.",
    ),
    "diff": (
        f"{_ENGINE}.inspect_commands:diff",
        "Show what a container has changed in its files.",
    ),
    "update": (
        f"{_ENGINE}.update_command:update",
        "Change the limits and the restart policy of containers.",
    ),
    "wait": (f"{_ENGINE}.container_commands:wait", "Wait until containers end."),
    "rename": (f"{_ENGINE}.container_commands:rename", "Give a container another name."),
    "inspect": (f"{_ENGINE}.inspect_commands:inspect", "Show all that is known of something."),
    "cp": (f"{_ENGINE}.copy_command:copy", "Copy files to and from containers."),
    "commit": (
        f"{_ENGINE}.image_commands:commit",
        "Make an image of what a container has changed.",
    ),
    "export": (f"{_ENGINE}.image_commands:export", "Write a container's files into an archive."),
    "images": (f"{_ENGINE}.image_commands:images", "List images."),
    "pull": (f"{_ENGINE}.image_commands:pull", "Bring an image from a registry."),
    "push": (f"{_ENGINE}.image_commands:push", "Take an image to a registry."),
    "tag": (f"{_ENGINE}.image_commands:tag", "Give an image another name."),
    "rmi": (f"{_ENGINE}.image_commands:rmi", "Remove images."),
    "history": (f"{_ENGINE}.image_commands:history", "Show how an image was made."),
    "save": (f"{_ENGINE}.image_commands:save", "Write images into an archive."),
    "load": (f"{_ENGINE}.image_commands:load", "Load images from an archive."),
    "import": (f"{_ENGINE}.image_commands:import_image", "Make an image of an archive of files."),
    "login": (f"{_ENGINE}.login_commands:login", "Tell a registry who you are."),
    "logout": (f"{_ENGINE}.login_commands:logout", "Forget who you are at a registry."),
    "network": (f"{_ENGINE}.network_commands:network", "Networks of containers."),
    "volume": (f"{_ENGINE}.network_commands:volume", "Volumes of containers."),
    "events": (f"{_ENGINE}.system_commands:events", "Show what happens in the engine."),
    "info": (f"{_ENGINE}.system_commands:info", "Show what the engine is."),
    "version": (f"{_ENGINE}.version_command:version", "Show this program's and the engine's."),
    "builder": (f"{_ENGINE}.management_groups:builder", "Builds, and what they keep."),
    "container": (f"{_ENGINE}.management_groups:container", "All commands on containers."),
    "image": (f"{_ENGINE}.management_groups:image", "All commands on images."),
    "system": (f"{_ENGINE}.management_groups:system", "All commands on the engine as a whole."),
    "completion": (
        f"{_COMMANDS}.completion_command:completion",
        "Print what makes a shell complete words.",
    ),
    "server": (f"{_COMMANDS}.foreground_commands:server", "Run the control plane here."),
    "agent": (f"{_COMMANDS}.foreground_commands:agent", "Run a node here."),
}


@click.group(
    cls=CommandLine,
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
