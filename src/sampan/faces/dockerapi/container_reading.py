"""Looking at containers: list, inspect, top, changes, statistics of disk, and their names."""

import time

from sampan.engine.containers.contract import ContainerDetail
from sampan.engine.contract import ImageNotFound
from sampan.engine.images.contract import ImageDetail
from sampan.engine.images.reference import InvalidReference
from sampan.faces.dockerapi import container_documents, container_filters
from sampan.faces.dockerapi.call import Call, answer
from sampan.faces.dockerapi.router import Route
from sampan.foundation.wire.message import Response


async def list_containers(call: Call) -> Response:
    filters = container_filters.checked(call.filters())
    images = await call.engine.images.list()
    listing = container_filters.Listing(
        filters=filters,
        every=call.flag("all"),
        limit=call.number("limit") or 0,
        ancestors=await _descendants(call, images, filters.values("ancestor")),
    )
    shown = container_filters.chosen(await call.engine.containers.list(), listing)
    names = image_names(images)
    with_sizes = call.flag("size")
    now = time.time_ns()
    documents = []
    for container in shown:
        sizes = await call.engine.containers.sizes(container.identifier) if with_sizes else None
        name = shown_image(container, names)
        documents.append(container_documents.summary(container, name, call.version, now, sizes))
    return answer(documents)


def image_names(images: list[ImageDetail]) -> dict[str, str]:
    """The identifier behind each name."""
    return {name: image.identifier for image in images for name in (*image.tags, *image.digests)}


def shown_image(container: ContainerDetail, names: dict[str, str]) -> str:
    """The name that was asked for, unless it means another image by now."""
    asked = container.configuration.image
    identifiers = {names.get(asked), names.get(f"{asked}:latest")} - {None}
    if not identifiers or container.image in identifiers:
        return asked
    return container.image


async def _descendants(
    call: Call, images: list[ImageDetail], wanted: tuple[str, ...]
) -> frozenset[str]:
    """The images that stand on one of these, and themselves; unknown ones have none."""
    found: set[str] = set()
    for reference in wanted:
        try:
            base = await call.engine.images.inspect(reference)
        except (ImageNotFound, InvalidReference):
            continue
        found.add(base.identifier)
        height = len(base.layers)
        if not height:
            continue
        found.update(
            image.identifier
            for image in images
            if len(image.layers) >= height
            and image.layers[height - 1].chain == base.layers[-1].chain
        )
    return frozenset(found)


async def inspect_container(call: Call) -> Response:
    container = await call.engine.containers.inspect(call.name)
    sizes = await call.engine.containers.sizes(call.name) if call.flag("size") else None
    return answer(container_documents.inspection(container, call.version, sizes))


async def top(call: Call) -> Response:
    found = await call.engine.containers.top(call.name, call.text("ps_args") or "-ef")
    return answer({"Titles": found.titles, "Processes": found.processes})


async def changes(call: Call) -> Response:
    found = await call.engine.containers.changes(call.name)
    return answer([{"Path": one.path, "Kind": one.kind} for one in found] or None)


ROUTES = (
    Route("GET", "/containers/json", list_containers),
    Route("GET", "/containers/ps", list_containers),
    Route("GET", "/containers/{name}/json", inspect_container),
    Route("GET", "/containers/{name}/top", top),
    Route("GET", "/containers/{name}/changes", changes),
)
