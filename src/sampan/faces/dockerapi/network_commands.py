"""Networks: list, inspect, create, connect, disconnect, remove, prune."""

import time
from collections.abc import Mapping
from typing import Any

from sampan.engine.containers.configuration import EndpointSettings, converted, tree_of
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.networks.contract import PREDEFINED, NetworkDefinition, NetworkDetail
from sampan.faces.dockerapi import network_status, times
from sampan.faces.dockerapi.call import Call, answer, done
from sampan.faces.dockerapi.filters import Filters
from sampan.faces.dockerapi.router import Route
from sampan.faces.dockerapi.versions import Version
from sampan.foundation.wire.message import Response

_LIST = frozenset(["dangling", "driver", "id", "label", "label!", "name", "scope", "type"])
_PRUNE = frozenset(["label", "label!", "until"])


def document(
    network: NetworkDetail, version: Version, *, with_containers: bool = True
) -> dict[str, Any]:
    tree: dict[str, Any] = tree_of(network)
    if not with_containers:
        tree["Containers"] = {}
    if version < (1, 48):
        tree.pop("EnableIPv4", None)
    if version >= (1, 52) and with_containers:
        tree["Status"] = network_status.document(network)
    return tree


async def list_networks(call: Call) -> Response:
    filters = call.filters()
    filters.check(_LIST)
    used = await _used(call) if "dangling" in filters else {}
    shown = [
        network for network in call.engine.networks.networks() if _fits(network, filters, used)
    ]
    return answer([document(one, call.version, with_containers=False) for one in shown])


async def _used(call: Call) -> Mapping[str, bool]:
    """The names of the networks that a container is in, running or not."""
    return {name: True for one in await call.engine.containers.list() for name in one.networks}


def _fits(network: NetworkDetail, filters: Filters, used: Mapping[str, bool]) -> bool:
    predefined = network.name in PREDEFINED
    for kind in filters.values("type"):
        if kind not in ("custom", "builtin"):
            raise InvalidConfiguration(f"invalid filter: 'type'='{kind[:80]}'")
    dangling = filters.flag("dangling")
    idle = not predefined and not used.get(network.name, False)
    return (
        filters.matches("name", network.name)
        and filters.matches("id", network.identifier)
        and filters.exact("driver", network.driver)
        and filters.exact("scope", network.scope)
        and filters.exact("type", "builtin" if predefined else "custom")
        and filters.labels(network.labels)
        and (dangling is None or dangling is idle)
    )


async def inspect_network(call: Call) -> Response:
    return answer(document(call.engine.networks.inspect(call.name), call.version))


async def create(call: Call) -> Response:
    definition = converted(_without_null(await call.json()), NetworkDefinition)
    created = await call.engine.networks.create(definition)
    return answer({"Id": created.identifier, "Warning": created.warning}, 201)


def _without_null(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if value is not None}


async def connect(call: Call) -> Response:
    tree = await call.json()
    settings = converted(tree.get("EndpointConfig") or {}, EndpointSettings)
    await call.engine.containers.connect(_container(tree), call.name, settings)
    return done(200)


async def disconnect(call: Call) -> Response:
    tree = await call.json()
    force = tree.get("Force") is True
    await call.engine.containers.disconnect(_container(tree), call.name, force=force)
    return done(200)


def _container(tree: dict[str, Any]) -> str:
    container = tree.get("Container")
    if not isinstance(container, str) or not container:
        raise InvalidConfiguration("invalid JSON: Container is the name of a container")
    return container


async def remove(call: Call) -> Response:
    await call.engine.networks.remove(call.name)
    return done()


async def prune(call: Call) -> Response:
    filters = call.filters()
    filters.check(_PRUNE)
    now = time.time_ns()
    until = times.read(filters.one("until"), now)
    used = await _used(call)

    def wanted(network: NetworkDetail) -> bool:
        old = not until or times.read(network.created, now) < until
        return old and filters.labels(network.labels) and not used.get(network.name, False)

    names = await call.engine.networks.prune(wanted)
    return answer({"NetworksDeleted": names or None})


ROUTES = (
    Route("GET", "/networks", list_networks),
    Route("GET", "/networks/", list_networks),
    Route("POST", "/networks/create", create),
    Route("POST", "/networks/prune", prune),
    Route("GET", "/networks/{name*}", inspect_network),
    Route("POST", "/networks/{name}/connect", connect),
    Route("POST", "/networks/{name}/disconnect", disconnect),
    Route("DELETE", "/networks/{name*}", remove),
)
