"""Docker's groups of commands by what they are on: `container`, `image` and `system`.

Each command is the same as the one that stands alone.
"""

from sampan.faces.cli.lazy_group import LazyGroup
from sampan.faces.cli.main import TABLE

_HERE = "sampan.faces.cli.engine"
_ON_CONTAINERS = (
    *("attach", "commit", "create", "diff", "exec", "export", "kill", "logs", "pause", "port"),
    *("rename", "restart", "rm", "run", "start", "stats", "stop", "top", "unpause", "wait"),
)
_ON_IMAGES = ("build", "history", "import", "load", "pull", "push", "save", "tag")

container = LazyGroup(
    "container",
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
        "df": (f"{_HERE}.system_commands:df", "Show how much room things take."),
        "events": TABLE["events"],
        "info": TABLE["info"],
        "prune": (f"{_HERE}.system_commands:system_prune", "Remove all that nothing uses."),
    },
)
