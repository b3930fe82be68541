"""What the options of `run` and `create` ask for, as they are read. Pure."""

from typing import Any


class UsageError(Exception):
    """The command line can't be understood; with docker's exit code for it."""

    def __init__(self, message: str, exit_code: int = 125) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Wanted:
    """What the command line asks for: `document` of the container, and how to go about it."""

    def __init__(self) -> None:
        self.host: dict[str, Any] = {}
        self.document: dict[str, Any] = {"HostConfig": self.host}
        self.endpoint: dict[str, Any] = {}
        self.further_endpoints: dict[str, dict[str, Any]] = {}
        self.name = ""
        self.platform = ""
        self.pull = "missing"
        self.identifier_file = ""
        self.detach_keys = ""
        self.detached = False
        self.quiet = False
        self.passes_signals = True
        self.streams: set[str] = set()
