"""What this engine has not: swarms and plugins. It answers as an engine that is in no swarm."""

from sampan.engine.contract import NotFound, NotImplementedHere
from sampan.faces.dockerapi.call import Call, answer
from sampan.faces.dockerapi.errors import Refused
from sampan.faces.dockerapi.router import Route
from sampan.foundation.wire.message import Response

_NO_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect '
    "this node to swarm and try again."
)
_OF_MANAGERS = ("swarm", "nodes", "services", "tasks", "secrets", "configs")


async def no_manager(call: Call) -> Response:
    raise Refused(503, _NO_MANAGER)


async def no_swarm(call: Call) -> Response:
    raise Refused(503, "This node is not part of a swarm")


async def never_swarm(call: Call) -> Response:
    raise NotImplementedHere("this engine has no swarm mode: clusters are Kubernetes' here")


async def plugins(call: Call) -> Response:
    return answer([])


async def no_plugin(call: Call) -> Response:
    raise NotFound(f'plugin "{call.name[:200]}" not found')


async def never_plugins(call: Call) -> Response:
    raise NotImplementedHere("this engine takes no plugins")


def _of_managers() -> list[Route]:
    routes = []
    for kind in _OF_MANAGERS:
        for method in ("GET", "POST", "DELETE"):
            routes.append(Route(method, f"/{kind}", no_manager))
            routes.append(Route(method, f"/{kind}/{{name*}}", no_manager))
    return routes


ROUTES = (
    Route("POST", "/swarm/init", never_swarm),
    Route("POST", "/swarm/join", never_swarm),
    Route("POST", "/swarm/leave", no_swarm),
    *_of_managers(),
    Route("GET", "/plugins", plugins),
    Route("POST", "/plugins/pull", never_plugins),
    Route("POST", "/plugins/create", never_plugins),
    Route("GET", "/plugins/privileges", never_plugins),
    Route("GET", "/plugins/{name*}/json", no_plugin),
    Route("POST", "/plugins/{name*}", no_plugin),
    Route("DELETE", "/plugins/{name*}", no_plugin),
)
