"""Which objects a controller's object takes as its own: adoption and release. Pure."""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from sampan.control.controllers import plan as plans
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.machinery import selectors
from sampan.kubernetes.machinery.metadata import Metadata


class Claimable(Protocol):
    """An object with metadata."""

    @property
    def metadata(self) -> Metadata: ...


def selector_of(selector: dict[str, Any]) -> selectors.Selector:
    """The selector of an object that validation let pass. Raises InvalidSelector."""
    return selectors.from_object(selector) or selectors.Selector()


def is_controlled_by(claimable: Claimable, owner: Metadata) -> bool:
    """Whether this very owner (not a namesake) controls the object."""
    controller = claimable.metadata.controller
    return controller is not None and controller.uid == owner.uid


def adoptable(claimable: Claimable, selector: selectors.Selector) -> bool:
    """Whether the object has no controller, is not being deleted, and matches."""
    metadata = claimable.metadata
    return (
        metadata.controller is None
        and metadata.deletion_timestamp is None
        and selector.matches(metadata.labels)
    )


def claims(
    owner_resource: Resource,
    owner: Metadata,
    selector: selectors.Selector,
    resource: Resource,
    claimables: Iterable[Claimable],
) -> tuple[plans.Action, ...]:
    """Adopt what matches and nobody controls; let go what is the owner's and does not match."""
    actions: list[plans.Action] = []
    for each in claimables:
        owners: list[dict[str, Any]] = [
            msgspec.to_builtins(reference) for reference in each.metadata.owner_references
        ]
        if adoptable(each, selector):
            owners.append(plans.owner_reference(owner_resource, owner))
        elif is_controlled_by(each, owner) and not selector.matches(each.metadata.labels):
            owners = [reference for reference in owners if reference["uid"] != owner.uid]
        else:
            continue
        actions.append(
            plans.Patch(
                resource=resource,
                namespace=each.metadata.namespace,
                name=each.metadata.name,
                uid=each.metadata.uid,
                resource_version=each.metadata.resource_version,
                body={"metadata": {"ownerReferences": owners}},
            )
        )
    return tuple(actions)
