"""`sampan run`: a command in a new container, on the shortest way there is.

Its few options are read by hand, since importing an option parser would take longer than the
container does. Exit codes are docker's: 125 for the engine's own failures, 126 and 127 for a
command that can't be executed or found, else the command's.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from sampan.faces.cli import engine_session

USAGE = """\
Usage: sampan run [OPTIONS] IMAGE [COMMAND...]

  Run a command in a new container.

Options:
  -d, --detach              Run in the background and print the container's identifier.
  -e, --env NAME=VALUE      Set a variable; NAME alone takes it from here.
  --entrypoint PROGRAM      Instead of the image's.
  -h, --hostname NAME       The container's host name.
  -i, --interactive         Pass standard input on.
  -l, --label NAME=VALUE    Set a label.
  --cpus NUMBER             At most so much CPU time, in processors.
  -m, --memory SIZE         At most so much memory: bytes, or with k, m, g.
  --name NAME               The container's name.
  --network none|host       none: a loopback of its own (the default). host: the machine's.
  --pids-limit NUMBER       At most so many processes and threads.
  --read-only               Make the root file system read-only.
  --rm                      Remove the container when it ends.
  -t, --tty                 Give it a terminal.
  -u, --user USER[:GROUP]   Names or numbers.
  -v, --volume SOURCE:TARGET[:ro]   Mount a folder or file of this machine.
  -w, --workdir FOLDER      Where the command starts.
  --help                    Show this text.
"""
_FLAGS = {
    "-d": "detached",
    "--detach": "detached",
    "-i": "interactive",
    "--interactive": "interactive",
    "-t": "terminal",
    "--tty": "terminal",
    "--rm": "removed_at_end",
    "--read-only": "read_only_root",
}
_SHORT = {
    "-e": "--env",
    "-h": "--hostname",
    "-l": "--label",
    "-m": "--memory",
    "-u": "--user",
    "-v": "--volume",
    "-w": "--workdir",
}
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class UsageError(Exception):
    """The command line can't be understood."""


def main(instance: str, arguments: list[str]) -> int:
    """Run it; the exit code."""
    try:
        wanted = parse(arguments, os.environ)
        if wanted is None:
            sys.stdout.write(USAGE)
            return 0
        return _run(instance, wanted)
    except (UsageError, engine_session.EngineUnreachable, ConnectionError) as error:
        sys.stderr.write(f"sampan: {error}\n")
        return engine_session.ENGINE_FAILED
    except engine_session.EngineRefused as error:
        sys.stderr.write(f"sampan: {error}\n")
        return error.exit_code


def _run(instance: str, wanted: dict[str, Any]) -> int:
    terminal = bool(wanted.get("terminal")) and not wanted.get("detached")
    if terminal and not os.isatty(0):
        raise UsageError("standard input is no terminal: leave out -t")
    answer = engine_session.ask(
        instance,
        "containers.run",
        wanted,
        interactive=bool(wanted.get("interactive")) and not wanted.get("detached"),
        terminal=terminal,
        forward_signals=True,
    )
    if wanted.get("detached"):
        sys.stdout.write(answer["identifier"] + "\n")
    return int(answer["exit_code"])


def parse(arguments: list[str], environment: Any) -> dict[str, Any] | None:
    """The engine's arguments; None when help is asked for. Raises UsageError."""
    wanted: dict[str, Any] = {}
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        word = rest.pop(0)
        if word == "--help":
            return None
        if word[:2] in _SHORT and len(word) > 2:
            # The value stands right behind the letter.
            rest.insert(0, word[2:].removeprefix("="))
            word = word[:2]
        for option in _single_options(word):
            _take(option, rest, wanted, environment)
    if rest[:1] == ["--"]:
        rest.pop(0)
    if not rest:
        raise UsageError("name an image: sampan run [OPTIONS] IMAGE [COMMAND...]")
    wanted["image"] = rest[0]
    if rest[1:]:
        wanted["command"] = rest[1:]
    return wanted


def _single_options(word: str) -> list[str]:
    """`-it` as `-i`, `-t`."""
    if not word.startswith("--") and len(word) > 2 and all(f"-{c}" in _FLAGS for c in word[1:]):
        return [f"-{letter}" for letter in word[1:]]
    return [word]


def _take(word: str, rest: list[str], wanted: dict[str, Any], environment: Any) -> None:
    if word in _FLAGS:
        wanted[_FLAGS[word]] = True
        return
    name, equals, value = word.partition("=")
    name = _SHORT.get(name, name)
    setter = _SETTERS.get(name)
    if setter is None:
        raise UsageError(f"there is no option {name}; 'sampan run --help' shows those there are")
    if not equals:
        if not rest:
            raise UsageError(f"option {name} needs a value")
        value = rest.pop(0)
    try:
        setter(wanted, value, environment)
    except ValueError as error:
        raise UsageError(f"{value!r} is not a valid value of {name}") from error


def _set_variable(wanted: dict[str, Any], value: str, environment: Any) -> None:
    name, equals, content = value.partition("=")
    if equals or name in environment:
        wanted.setdefault("environment", {})[name] = content if equals else environment[name]


def _set_label(wanted: dict[str, Any], value: str, _: Any) -> None:
    name, _, content = value.partition("=")
    wanted.setdefault("labels", {})[name] = content


def _set_volume(wanted: dict[str, Any], value: str, _: Any) -> None:
    source, target, *mode = value.split(":")
    if mode not in ([], ["ro"], ["rw"]) or not target.startswith("/"):
        raise ValueError(value)
    mount = {"source": os.path.abspath(source), "target": target, "read_only": mode == ["ro"]}
    wanted.setdefault("mounts", []).append(mount)


def _set_network(wanted: dict[str, Any], value: str, _: Any) -> None:
    if value not in ("none", "host"):
        raise ValueError(value)
    wanted["network"] = value


def _set_memory(wanted: dict[str, Any], value: str, _: Any) -> None:
    number = value.lower().rstrip("bkmg")
    wanted.setdefault("limits", {})["memory"] = int(
        float(number) * _UNITS[value.lower()[len(number) :]]
    )


def _set_cpus(wanted: dict[str, Any], value: str, _: Any) -> None:
    wanted.setdefault("limits", {})["cpu_quota"] = int(float(value) * 100_000)


def _set_pids(wanted: dict[str, Any], value: str, _: Any) -> None:
    wanted.setdefault("limits", {})["pids"] = int(value)


def _set_entrypoint(wanted: dict[str, Any], value: str, _: Any) -> None:
    wanted["entrypoint"] = [value] if value else []


def _text(key: str) -> Callable[[dict[str, Any], str, Any], None]:
    def set_text(wanted: dict[str, Any], value: str, _: Any) -> None:
        wanted[key] = value

    return set_text


_SETTERS: dict[str, Callable[[dict[str, Any], str, Any], None]] = {
    "--env": _set_variable,
    "--entrypoint": _set_entrypoint,
    "--hostname": _text("hostname"),
    "--label": _set_label,
    "--cpus": _set_cpus,
    "--memory": _set_memory,
    "--name": _text("name"),
    "--network": _set_network,
    "--pids-limit": _set_pids,
    "--user": _text("user"),
    "--volume": _set_volume,
    "--workdir": _text("working_directory"),
}
