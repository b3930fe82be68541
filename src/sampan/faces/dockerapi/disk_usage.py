"""How much images, containers, volumes and the build cache take: `GET /system/df`.

Before 1.52 the lists alone; from then on counts and sizes, with the lists where `verbose` says so.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from sampan.engine.contract import InvalidConfiguration
from sampan.faces.dockerapi import container_documents, image_documents, volume_commands
from sampan.faces.dockerapi.build_commands import cache_document
from sampan.faces.dockerapi.call import Call, answer
from sampan.faces.dockerapi.container_reading import image_names, shown_image
from sampan.faces.dockerapi.image_commands import containers_of, shared_sizes
from sampan.faces.dockerapi.router import Route
from sampan.foundation.wire.message import Response

_TYPES = ("image", "container", "volume", "build-cache")


async def usage(call: Call) -> Response:
    wanted = tuple(call.texts("type")) or _TYPES
    for kind in wanted:
        if kind not in _TYPES:
            raise InvalidConfiguration(f"unknown object type: {kind[:80]}")
    parts: dict[str, Callable[[Call], Awaitable[tuple[dict[str, Any], dict[str, Any]]]]] = {
        "image": _images,
        "container": _containers,
        "volume": _volumes,
        "build-cache": _cache,
    }
    tree: dict[str, Any] = {}
    for kind in wanted:
        old, new = await parts[kind](call)
        if call.version < (1, 52) or not call.flag("verbose"):
            tree |= old
        if call.version >= (1, 52):
            if not call.flag("verbose"):
                for brief in new.values():
                    brief.pop("Items")
            tree |= new
    return answer(tree)


def _brief(
    items: list[dict[str, Any]], sizes: list[int], *, active: int, reclaimable: int
) -> dict[str, Any]:
    return {
        "ActiveCount": active,
        "TotalCount": len(items),
        "TotalSize": sum(sizes),
        "Reclaimable": reclaimable,
        "Items": items,
    }


async def _images(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    images = [one for one in await call.engine.images.list() if not one.is_intermediate]
    used, shared = await containers_of(call), shared_sizes(images)
    layers = {layer.chain: layer.size for image in images for layer in image.layers}
    kept = {layer.chain for image in images if used.get(image.identifier) for layer in image.layers}
    items = [
        image_documents.summary(
            image,
            call.version,
            shared_size=shared[image.identifier],
            containers=used.get(image.identifier, 0),
        )
        for image in images
    ]
    brief = _brief(
        items,
        list(layers.values()),
        active=sum(1 for image in images if used.get(image.identifier)),
        reclaimable=sum(size for chain, size in layers.items() if chain not in kept),
    )
    return {"LayersSize": sum(layers.values()), "Images": items}, {"ImageUsage": brief}


async def _containers(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    containers = await call.engine.containers.list()
    names = image_names(await call.engine.images.list())
    now = time.time_ns()
    items = []
    for one in containers:
        sizes = await call.engine.containers.sizes(one.identifier)
        name = shown_image(one, names)
        items.append(container_documents.summary(one, name, call.version, now, sizes))
    active = [one for one in containers if one.state.running]
    idle = {one.identifier for one in containers} - {one.identifier for one in active}
    brief = _brief(
        items,
        [item.get("SizeRw", 0) for item in items],
        active=len(active),
        reclaimable=sum(item.get("SizeRw", 0) for item in items if item["Id"] in idle),
    )
    return {"Containers": items}, {"ContainerUsage": brief}


async def _volumes(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    volumes = await call.engine.volumes.usage()
    items = [volume_commands.document(one) for one in volumes]
    sizes = [max(0, one.usage_data.size) if one.usage_data else 0 for one in volumes]
    held = [bool(one.usage_data and one.usage_data.ref_count > 0) for one in volumes]
    reclaimable = sum(size for size, in_use in zip(sizes, held, strict=True) if not in_use)
    brief = _brief(items, sizes, active=sum(held), reclaimable=reclaimable)
    return {"Volumes": items}, {"VolumeUsage": brief}


async def _cache(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    records = await call.engine.builds.cache_usage()
    items = [cache_document(one) for one in records]
    idle = [one for one in records if not one.is_in_use and not one.is_shared]
    brief = _brief(
        items,
        [one.size for one in records if not one.is_shared],
        active=sum(one.is_in_use for one in records),
        reclaimable=sum(one.size for one in idle),
    )
    old: dict[str, Any] = {"BuildCache": items}
    if call.version < (1, 42):
        old["BuilderSize"] = 0
    return old, {"BuildCacheUsage": brief}


ROUTES = (Route("GET", "/system/df", usage),)
