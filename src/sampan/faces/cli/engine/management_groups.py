"""Docker's groups of commands by what they are on: `container`, `image`, `builder` and `system`.

Each command is the same as the one that stands alone.
"""

from sampan.faces.cli.lazy_group import LazyGroup
from sampan.faces.cli.main import TABLE

_HERE = "sampan.faces.cli.engine"
_ON_CONTAINERS = (
    *(
        "attach",
        "commit",
        "cp",
        "create",
        "diff",
        "exec",
        "export",
        "kill",
        "logs",
        "pause",
        "port",
    ),
    *(
        "rename",
        "restart",
        "rm",
        "run",
        "start",
        "stats",
        "stop",
        "top",
        "unpause",
        "update",
        "wait",
    ),
)
_ON_IMAGES = ("build", "history", "import", "load", "pull", "push", "save", "tag")

container = LazyGroup(
    "container",
    aliases={"list": "ls", "ps": "ls", "remove": "rm"},
    help="All commands on containers.",
    table={
        "ls": TABLE["ps"],
        "inspect": (f"{_HERE}.inspect_commands:inspect_container", TABLE["inspect"][1]),
        "prune": (
            f"{_HERE}.container_commands:prune",
            "Remove all containers that have ended.",
        ),
        **{name: TABLE[name] for name in _ON_CONTAINERS},
    },
)
image = LazyGroup(
    "image",
    aliases={"list": "ls", "remove": "rm"},
    help="All commands on images.",
    table={
        "ls": TABLE["images"],
        "rm": TABLE["rmi"],
        "inspect": (f"{_HERE}.inspect_commands:inspect_image", TABLE["inspect"][1]),
        "prune": (f"{_HERE}.image_commands:prune", "Remove images that nothing names."),
        **{name: TABLE[name] for name in _ON_IMAGES},
    },
)
system = LazyGroup(
    "system",
    help="All commands on the engine as a whole.",
    table={
        "df": (f"{_HERE}.disk_usage_command:df", "Show how much room things take."),
        "events": TABLE["events"],
        "info": TABLE["info"],
        "prune": (f"{_HERE}.prune_commands:system_prune", "Remove all that nothing uses."),
    },
)
builder = LazyGroup(
    "builder",
    help="Builds, and what they keep.",
    table={
        "build": TABLE["build"],
        "prune": (f"{_HERE}.prune_commands:builder_prune", "Remove what builds keep."),
    },
)
