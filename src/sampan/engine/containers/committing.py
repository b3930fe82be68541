"""A new image from what a container wrote and how it is configured."""

from sampan.engine.containers.configuration import Configuration
from sampan.engine.containers.container import ManagedContainer
from sampan.engine.containers.contract import CommitOptions
from sampan.engine.containers.image_defaults import as_image, with_image_defaults
from sampan.engine.containers.parts import Parts
from sampan.engine.images.contract import CommitRequest
from sampan.host.identifier_maps import OwnerMaps


async def commit(container: ManagedContainer, parts: Parts, options: CommitOptions) -> str:
    """The identifier of the image. Raises InvalidConfiguration, InvalidImage, OSError."""
    record = container.record
    own = as_image(record.configuration)
    if options.configuration is not None and options.configuration != Configuration():
        own = as_image(with_image_defaults(options.configuration, own))
    written = await parts.engine.written(container.identifier)
    name = options.repository
    if name and options.tag:
        name = f"{name}:{options.tag}"
    return await parts.images.commit(
        CommitRequest(
            base=record.image,
            upper=written.upper,
            execution=parts.images.changed(own, options.changes),
            name=name,
            author=options.author,
            message=options.comment,
            created_by=" ".join(record.configuration.command or ()),
            owners=OwnerMaps(written.uid_maps, written.gid_maps),
        )
    )
