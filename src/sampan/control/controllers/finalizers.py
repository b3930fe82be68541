"""The patch that changes which finalizers an object has. Pure."""

from collections.abc import Iterable

from sampan.control.controllers.plan import HeadMetadata, Patch
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.machinery.metadata import Metadata


def finalizer_patch(
    resource: Resource, metadata: Metadata | HeadMetadata, finalizers: Iterable[str]
) -> Patch:
    """Of exactly the version that `metadata` shows, so that nobody's finalizer is lost."""
    return Patch(
        resource=resource,
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        body={"metadata": {"finalizers": list(finalizers)}},
    )
