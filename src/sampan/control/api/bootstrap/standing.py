"""One object that every cluster has, and how an older version of it is brought up to date."""

from collections.abc import Callable

import msgspec

from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import Resource

Renewal = Callable[[Object], Object | None]
"""The changed object made of the current one, which it may change; None when that is right."""


class Standing(msgspec.Struct, frozen=True):
    """`tree` is written when the object isn't there; without `renew` it is then left alone.

    `status` is written after it, to `/status`, when the object was made just now.
    """

    resource: Resource
    tree: Object
    renew: Renewal | None = None
    status: Object | None = None

    @property
    def key(self) -> str:
        """The cache's key of the object."""
        metadata = self.tree["metadata"]
        return f"{metadata.get('namespace', '')}/{metadata['name']}"


def named(resource: Resource, name: str, namespace: str = "") -> Object:
    """An object with nothing but a name."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": resource.group_version, "kind": resource.kind, "metadata": metadata}
