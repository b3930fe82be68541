"""Images that are there: list, inspect, history, tag, remove, prune."""

import time
from collections import Counter
from typing import Any

from sampan.engine.images.contract import ImageDetail, Removed
from sampan.faces.dockerapi import image_documents, image_filters
from sampan.faces.dockerapi.call import Call, answer, done
from sampan.faces.dockerapi.router import Route
from sampan.foundation.wire.message import Response


async def list_images(call: Call) -> Response:
    images = await call.engine.images.list()
    filters = call.filters()
    shown = image_filters.chosen(images, filters, time.time_ns(), every=call.flag("all"))
    containers: dict[str, int] | None = None
    if call.version >= (1, 51):
        containers = await containers_of(call)
    shared = shared_sizes(images) if call.flag("shared-size") else {}
    return answer(
        [
            image_documents.summary(
                image,
                call.version,
                shared_size=shared.get(image.identifier, -1),
                containers=containers.get(image.identifier, 0) if containers is not None else -1,
                with_manifests=call.flag("manifests"),
            )
            for image in shown
        ]
    )


async def containers_of(call: Call) -> dict[str, int]:
    """How many containers each image has."""
    return Counter(one.image for one in await call.engine.containers.list())


def shared_sizes(images: list[ImageDetail]) -> dict[str, int]:
    """How much of each image is in others as well."""
    users = Counter(layer.chain for image in images for layer in image.layers)
    return {
        image.identifier: sum(layer.size for layer in image.layers if users[layer.chain] > 1)
        for image in images
    }


async def inspect_image(call: Call) -> Response:
    image = await call.engine.images.inspect(call.name)
    with_manifests = call.flag("manifests")
    document = image_documents.inspection(image, call.version, with_manifests=with_manifests)
    return answer(document)


async def history(call: Call) -> Response:
    lines = await call.engine.images.history(call.name)
    return answer(
        [
            {
                "Id": line.identifier,
                "Created": int(line.created),
                "CreatedBy": line.created_by,
                "Tags": list(line.tags) or None,
                "Size": line.size,
                "Comment": line.comment,
            }
            for line in lines
        ]
    )


async def tag(call: Call) -> Response:
    repository, label = call.text("repo"), call.text("tag")
    await call.engine.images.tag(call.name, f"{repository}:{label}" if label else repository)
    return done(201)


async def remove(call: Call) -> Response:
    removed = await call.engine.images.remove(
        call.name, force=call.flag("force"), prune_parents=not call.flag("noprune")
    )
    return answer([_removed(one) for one in removed])


def _removed(one: Removed) -> dict[str, str]:
    return {"Untagged": one.untagged} if one.untagged else {"Deleted": one.deleted}


async def prune(call: Call) -> Response:
    keeps = image_filters.kept(call.filters(), time.time_ns())
    pruned = await call.engine.images.prune(keeps)
    tree: dict[str, Any] = {
        "ImagesDeleted": [_removed(one) for one in pruned.removed] or None,
        "SpaceReclaimed": pruned.space,
    }
    return answer(tree)


ROUTES = (
    Route("GET", "/images/json", list_images),
    Route("POST", "/images/prune", prune),
    Route("GET", "/images/{name*}/json", inspect_image),
    Route("GET", "/images/{name*}/history", history),
    Route("POST", "/images/{name*}/tag", tag),
    Route("DELETE", "/images/{name*}", remove),
)
