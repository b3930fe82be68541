"""Volumes: list, inspect, create, remove, prune."""

from typing import Any

from sampan.engine.containers.configuration import converted, tree_of
from sampan.engine.contract import NotFound
from sampan.engine.volumes.contract import VolumeDefinition, VolumeDetail
from sampan.faces.dockerapi.call import Call, answer, done
from sampan.faces.dockerapi.filters import Filters
from sampan.faces.dockerapi.router import Route
from sampan.foundation.wire.message import Response

_LIST = frozenset(["dangling", "driver", "label", "label!", "name"])
_PRUNE = frozenset(["all", "label", "label!"])


def document(volume: VolumeDetail) -> dict[str, Any]:
    tree: dict[str, Any] = tree_of(volume)
    return tree


async def list_volumes(call: Call) -> Response:
    filters = call.filters()
    filters.check(_LIST)
    holders = call.engine.volumes.holders()
    shown = [
        one for one in call.engine.volumes.volumes() if _fits(one, filters, one.name in holders)
    ]
    return answer({"Volumes": [document(one) for one in shown], "Warnings": None})


def _fits(volume: VolumeDetail, filters: Filters, held: bool) -> bool:
    dangling = filters.flag("dangling")
    return (
        filters.matches("name", volume.name)
        and filters.exact("driver", volume.driver)
        and filters.labels(volume.labels)
        and (dangling is None or dangling is not held)
    )


async def inspect_volume(call: Call) -> Response:
    return answer(document(call.engine.volumes.inspect(call.name)))


async def create(call: Call) -> Response:
    tree = {name: value for name, value in (await call.json()).items() if value is not None}
    if not tree.get("Driver"):
        tree.pop("Driver", None)
    volume = await call.engine.volumes.create(converted(tree, VolumeDefinition))
    return answer(document(volume), 201)


async def update(call: Call) -> Response:
    """Only volumes of a cluster can be changed, and there is none."""
    raise NotFound(f"volume {call.name[:200]} not found")


async def remove(call: Call) -> Response:
    await call.engine.volumes.remove(call.name, force=call.flag("force"))
    return done()


async def prune(call: Call) -> Response:
    """Since 1.42 the anonymous ones alone, unless all are asked for."""
    filters = call.filters()
    filters.check(_PRUNE)
    every = call.version < (1, 42) or filters.flag("all", default=False) is True

    def wanted(volume: VolumeDetail) -> bool:
        return (every or volume.anonymous) and filters.labels(volume.labels)

    pruned = await call.engine.volumes.prune(wanted)
    return answer({"VolumesDeleted": list(pruned.names), "SpaceReclaimed": pruned.space_reclaimed})


ROUTES = (
    Route("GET", "/volumes", list_volumes),
    Route("POST", "/volumes/create", create),
    Route("POST", "/volumes/prune", prune),
    Route("GET", "/volumes/{name}", inspect_volume),
    Route("PUT", "/volumes/{name}", update),
    Route("DELETE", "/volumes/{name}", remove),
)
