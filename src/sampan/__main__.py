"""The command `sampan`."""

import os
import sys
from collections.abc import Sequence

from sampan.foundation.instance_name import DEFAULT_NAME


def main() -> None:
    called = _run_call(sys.argv[1:])
    if called:
        from sampan.faces.cli.engine import run_command

        sys.exit(run_command.main(*called))
    from sampan.daemon.launch import Launcher
    from sampan.faces.cli.main import command_line

    command_line(Launcher())


def _run_call(arguments: Sequence[str]) -> tuple[str, list[str]] | None:
    """The instance and arguments of `sampan [--instance NAME] run …`, None for anything else.

    `run` starts a container sooner than the other commands' option parser can be imported.
    """
    instance = os.environ.get("SAMPAN_INSTANCE") or DEFAULT_NAME
    rest = list(arguments)
    if len(rest) > 1 and rest[0] == "--instance":
        instance, rest = rest[1], rest[2:]
    return (instance, rest[1:]) if rest[:1] == ["run"] else None


if __name__ == "__main__":
    main()
