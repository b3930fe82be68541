"""Further commands in running containers: create, start, resize, inspect."""

from typing import Any

from sampan.engine.containers.configuration import ExecConfiguration, converted
from sampan.engine.containers.contract import ExecDetail
from sampan.engine.contract import Conflict, InvalidConfiguration
from sampan.faces.dockerapi import detach_keys, hijacking
from sampan.faces.dockerapi.call import Call, answer, done
from sampan.faces.dockerapi.container_streams import size_of
from sampan.faces.dockerapi.hijacking import Streams
from sampan.faces.dockerapi.router import Route
from sampan.foundation.wire.message import Response


async def create(call: Call) -> Response:
    configuration = converted(await call.json(), ExecConfiguration)
    if not configuration.command:
        raise InvalidConfiguration("No exec command specified")
    detach_keys.parsed(configuration.detach_keys)
    identifier = await call.engine.containers.exec_create(call.name, configuration)
    return answer({"Id": identifier}, 201)


async def start(call: Call) -> Response:
    wanted = await call.json()
    containers = call.engine.containers
    detail = await containers.exec_inspect(call.name)
    configuration = detail.configuration
    keys = detach_keys.parsed(configuration.detach_keys)
    size = _console_size(wanted)
    if wanted.get("Detach"):
        await containers.exec_start(call.name, detach=True, console_size=size)
        return done(200)
    if detail.running or detail.exit_code is not None:
        raise Conflict(f"Error: Exec command {call.name} has already run")

    async def begin() -> Streams:
        session = await containers.exec_start(call.name, console_size=size)
        assert session is not None, "it was not to be detached"
        chosen = {"stdout": configuration.attach_stdout, "stderr": configuration.attach_stderr}
        return Streams(
            session,
            stdin=configuration.attach_stdin,
            terminal=configuration.terminal,
            outlives_client=True,
            detach_keys=keys,
            wanted=frozenset(name for name, is_wanted in chosen.items() if is_wanted),
        )

    return hijacking.begun_later(call, begin, terminal=configuration.terminal)


def _console_size(tree: dict[str, Any]) -> tuple[int, int] | None:
    """Clients say rows first, the engine takes columns first. Raises InvalidConfiguration."""
    match tree.get("ConsoleSize"):
        case None:
            return None
        case [int(rows), int(columns)]:
            return (columns, rows)
    raise InvalidConfiguration("invalid JSON: ConsoleSize is two numbers")


async def resize(call: Call) -> Response:
    columns, rows = size_of(call)
    await call.engine.containers.exec_resize(call.name, columns, rows)
    return done(200)


async def inspect(call: Call) -> Response:
    return answer(_document(await call.engine.containers.exec_inspect(call.name)))


def _document(detail: ExecDetail) -> dict[str, Any]:
    configuration = detail.configuration
    command = configuration.command or ("",)
    process: dict[str, Any] = {
        "tty": configuration.terminal,
        "entrypoint": command[0],
        "arguments": list(command[1:]),
        "privileged": configuration.privileged,
    }
    if configuration.user:
        process["user"] = configuration.user
    return {
        "ID": detail.identifier,
        "Running": detail.running,
        "ExitCode": detail.exit_code,
        "ProcessConfig": process,
        "OpenStdin": configuration.attach_stdin,
        "OpenStderr": configuration.attach_stderr,
        "OpenStdout": configuration.attach_stdout,
        "CanRemove": detail.can_remove,
        "ContainerID": detail.container,
        "DetachKeys": configuration.detach_keys,
        "Pid": detail.process,
    }


ROUTES = (
    Route("POST", "/containers/{name}/exec", create),
    Route("POST", "/exec/{name}/start", start),
    Route("POST", "/exec/{name}/resize", resize),
    Route("GET", "/exec/{name}/json", inspect),
)
