"""The life of containers: create, start, stop, kill, pause, rename, update, remove, wait, prune."""

import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any, get_args

from sampan.engine.containers.configuration import (
    Configuration,
    HostConfiguration,
    NetworkingConfiguration,
    UpdateConfiguration,
    converted,
)
from sampan.engine.containers.contract import WaitCondition, WaitResult
from sampan.engine.contract import Conflict, InvalidConfiguration
from sampan.faces.dockerapi import container_filters
from sampan.faces.dockerapi.call import Call, answer, done, encoded
from sampan.faces.dockerapi.platforms import platform_of
from sampan.faces.dockerapi.router import Route
from sampan.foundation.wire.message import Response


async def create(call: Call) -> Response:
    tree = await call.json()
    if not tree:
        raise InvalidConfiguration("config cannot be empty in order to create a container")
    host_tree = tree.pop("HostConfig", None) or {}
    network_tree = tree.pop("NetworkingConfig", None) or {}
    warnings = _drop_old_fields(call, tree, host_tree, network_tree)
    created = await call.engine.containers.create(
        call.text("name").removeprefix("/"),
        converted(tree, Configuration),
        converted(host_tree, HostConfiguration),
        converted(network_tree, NetworkingConfiguration),
        platform_of(call.text("platform")),
    )
    told = [*warnings, *created.warnings]
    return answer({"Id": created.identifier, "Warnings": told}, 201)


def _drop_old_fields(
    call: Call, tree: dict[str, Any], host: dict[str, Any], networking: dict[str, Any]
) -> list[str]:
    """What a version doesn't know any more is not looked at, what it doesn't know yet neither."""
    if call.version >= (1, 42):
        host.pop("KernelMemory", None)
    if call.version >= (1, 52):
        host.pop("KernelMemoryTCP", None)
        tree.pop("MacAddress", None)
    if call.version < (1, 44) and len(networking.get("EndpointsConfig") or {}) > 1:
        names = ", ".join(networking["EndpointsConfig"])
        raise InvalidConfiguration(
            f"Container cannot be created with multiple network endpoints: {names}"
        )
    if tree.get("MacAddress") and call.version >= (1, 44):
        return [
            "The container-wide MacAddress field is now deprecated. "
            "It should be specified in EndpointsConfig instead."
        ]
    return []


async def start(call: Call) -> Response:
    await call.engine.containers.start(call.name)
    return done()


async def stop(call: Call) -> Response:
    grace = call.number("t")
    signal = call.text("signal") if call.version >= (1, 42) else ""
    await call.engine.containers.stop(call.name, grace, signal)
    return done()


async def restart(call: Call) -> Response:
    grace = call.number("t")
    signal = call.text("signal") if call.version >= (1, 42) else ""
    await call.engine.containers.restart(call.name, grace, signal)
    return done()


async def kill(call: Call) -> Response:
    await call.engine.containers.kill(call.name, call.text("signal"))
    return done()


async def pause(call: Call) -> Response:
    await call.engine.containers.pause(call.name)
    return done()


async def unpause(call: Call) -> Response:
    await call.engine.containers.unpause(call.name)
    return done()


async def rename(call: Call) -> Response:
    await call.engine.containers.rename(call.name, call.text("name").removeprefix("/"))
    return done()


async def update(call: Call) -> Response:
    tree = await call.json()
    changes = converted(tree, UpdateConfiguration)
    warnings = await call.engine.containers.update(call.name, changes)
    return answer({"Warnings": list(warnings) or None})


async def remove(call: Call) -> Response:
    if call.flag("link"):
        raise Conflict("legacy links between containers can't be removed: there are none")
    await call.engine.containers.remove(call.name, force=call.flag("force"), volumes=call.flag("v"))
    return done()


async def wait(call: Call) -> Response:
    condition = call.text("condition") or "not-running"
    if condition not in get_args(WaitCondition):
        raise InvalidConfiguration(f'invalid condition: "{condition[:80]}"')
    waiting = call.engine.containers.wait(call.name, condition)  # type: ignore[arg-type]
    tells_null = call.version < (1, 42)
    body = _result(waiting, tells_null=tells_null)
    return Response(headers={"Content-Type": "application/json"}, body=body)


async def _result(waiting: Awaitable[WaitResult], *, tells_null: bool) -> AsyncIterator[bytes]:
    """The header goes out first, so that a client knows that it is being waited."""
    yield b""
    result = await waiting
    tree: dict[str, Any] = {"Error": None} if tells_null else {}
    tree["StatusCode"] = result.exit_code
    if result.error:
        tree["Error"] = {"Message": result.error}
    yield encoded(tree)


async def prune(call: Call) -> Response:
    predicate = container_filters.pruned(call.filters(), time.time_ns())
    gone = await call.engine.containers.prune(predicate)
    identifiers = list(gone.identifiers) or None
    return answer({"ContainersDeleted": identifiers, "SpaceReclaimed": gone.space})


ROUTES = (
    Route("POST", "/containers/create", create),
    Route("POST", "/containers/prune", prune),
    Route("POST", "/containers/{name}/start", start),
    Route("POST", "/containers/{name}/stop", stop),
    Route("POST", "/containers/{name}/restart", restart),
    Route("POST", "/containers/{name}/kill", kill),
    Route("POST", "/containers/{name}/pause", pause),
    Route("POST", "/containers/{name}/unpause", unpause),
    Route("POST", "/containers/{name}/rename", rename),
    Route("POST", "/containers/{name}/update", update),
    Route("POST", "/containers/{name}/wait", wait),
    Route("DELETE", "/containers/{name}", remove),
)
