"""The one rule that turns an instance's name into the name of what it owns.

It stands apart from `settings` for programs that must start within milliseconds: nothing is
imported here.
"""

DEFAULT_NAME = "sampan"


def full_name(name: str) -> str:
    """The name used for folders, tables and control groups: `sampan` or `sampan-NAME`."""
    return DEFAULT_NAME if name == DEFAULT_NAME else f"{DEFAULT_NAME}-{name}"


def command_prefix(name: str) -> str:
    """How a command for this instance begins, for advice on what to type."""
    return "sampan" if name == DEFAULT_NAME else f"sampan --instance {name}"


def run_folder(name: str) -> str:
    """Where an instance's sockets and process records lie."""
    return f"/run/{full_name(name)}"
