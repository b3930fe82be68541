"""The command `sampan`."""

from sampan.daemon.launch import Launcher
from sampan.faces.cli.main import command_line


def main() -> None:
    command_line(Launcher())


if __name__ == "__main__":
    main()
