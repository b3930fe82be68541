"""Owner references: who an object belongs to, and who manages it."""

from collections.abc import Iterable
from typing import Any

from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.machinery.metadata import Metadata, OwnerReference


def controller_reference(resource: Resource, metadata: Metadata) -> dict[str, Any]:
    """What an object's controller writes into the metadata of what it creates."""
    return {
        "apiVersion": resource.group_version,
        "kind": resource.kind,
        "name": metadata.name,
        "uid": metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_controlled_by(metadata: Metadata, uid: str) -> bool:
    """Whether the object with that uid manages this one."""
    controller = metadata.controller
    return controller is not None and controller.uid == uid


def as_object(reference: OwnerReference) -> dict[str, Any]:
    """A reference in the form in which it is written."""
    written: dict[str, Any] = {
        "apiVersion": reference.api_version,
        "kind": reference.kind,
        "name": reference.name,
        "uid": reference.uid,
    }
    if reference.controller:
        written["controller"] = True
    if reference.block_owner_deletion:
        written["blockOwnerDeletion"] = True
    return written


def without(references: Iterable[OwnerReference], uid: str) -> list[dict[str, Any]]:
    """The references, in the form in which they are written, but for those to one owner."""
    return [as_object(reference) for reference in references if reference.uid != uid]
