"""Deletes what has lost all its owners, and carries out how an owner wants to be deleted:
in the foreground (dependents first), or leaving them orphans.

The rules are those of Kubernetes' garbage collector. An owner counts as absent only when the
API itself, asked past the cache, says that no object with its uid is there; a reference to a
kind or a scope that is not known leaves everything as it is.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Keys, key_of
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.machinery.metadata import OwnerReference

ACCOUNT = COMPONENT = "generic-garbage-collector"
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
Item = tuple[Resource, plans.Head]


class Snapshot(msgspec.Struct, frozen=True):
    """`owners` gives for each owner's uid what the cache shows of it, None for nothing;
    `resources` each reference's resource, None when it cannot be known."""

    resource: Resource
    head: plans.Head
    dependents: tuple[Item, ...]
    owners: dict[str, plans.Head | None]
    resources: dict[str, Resource | None]
    answers: plans.Answers


def plan(snapshot: Snapshot, _now: datetime) -> plans.Plan:
    """What this one object's owners, or its dependents, make of it."""
    metadata = snapshot.head.metadata
    if metadata.deletion_timestamp is not None:
        if ORPHAN in metadata.finalizers:
            return _orphan(snapshot)
        if FOREGROUND in metadata.finalizers:
            return _foreground(snapshot)
        return plans.NOTHING
    if not metadata.owner_references:
        return plans.NOTHING
    reads = _reads(snapshot)
    if any(read not in snapshot.answers for read in reads):
        return plans.Plan(reads=reads)
    return _collect(snapshot)


def _orphan(snapshot: Snapshot) -> plans.Plan:
    """Cut the dependents loose; when none is left the owner may go."""
    uid = snapshot.head.metadata.uid
    if not snapshot.dependents:
        return plans.Plan(actions=(_without_finalizer(snapshot, ORPHAN),))
    return plans.Plan(
        actions=tuple(
            _without_owners(resource, head, {uid}) for resource, head in snapshot.dependents
        )
    )


def _foreground(snapshot: Snapshot) -> plans.Plan:
    """When no dependent blocks any more the owner may go; each dependent's own plan has it
    deleted."""
    uid = snapshot.head.metadata.uid
    blocking = any(
        owner.uid == uid and owner.block_owner_deletion
        for _, head in snapshot.dependents
        for owner in head.metadata.owner_references
    )
    if blocking:
        return plans.NOTHING
    return plans.Plan(actions=(_without_finalizer(snapshot, FOREGROUND),))


def _reads(snapshot: Snapshot) -> tuple[plans.Read, ...]:
    """Ask after the object itself and its owners when the cache misses any of them."""
    missing = [
        plans.Get(resource, owner.name, _namespace_of(resource, snapshot.head))
        for owner in snapshot.head.metadata.owner_references
        if snapshot.owners[owner.uid] is None
        and (resource := snapshot.resources[owner.uid]) is not None
    ]
    return (*missing, _itself(snapshot)) if missing else ()


def _itself(snapshot: Snapshot) -> plans.Get:
    metadata = snapshot.head.metadata
    return plans.Get(snapshot.resource, metadata.name, metadata.namespace)


def _namespace_of(owner: Resource, head: plans.Head) -> str:
    return head.metadata.namespace if owner.namespaced else ""


def _owner_now(snapshot: Snapshot, owner: OwnerReference) -> tuple[bool, bool]:
    """Whether the owner is there (or may be), and whether it waits for its dependents to go."""
    resource = snapshot.resources[owner.uid]
    if resource is None:
        return True, False
    head = snapshot.owners[owner.uid]
    if head is None:
        read = plans.Get(resource, owner.name, _namespace_of(resource, snapshot.head))
        found = snapshot.answers.get(read, ())
        head = next((each for each in found if each.metadata.uid == owner.uid), None)
    if head is None:
        return False, False
    metadata = head.metadata
    return True, metadata.deletion_timestamp is not None and FOREGROUND in metadata.finalizers


def _collect(snapshot: Snapshot) -> plans.Plan:
    metadata = snapshot.head.metadata
    states = {owner.uid: _owner_now(snapshot, owner) for owner in metadata.owner_references}
    solid = [uid for uid, (present, waiting) in states.items() if present and not waiting]
    waiting = [uid for uid, (present, waits) in states.items() if present and waits]
    gone = {uid for uid, (present, _) in states.items() if not present}
    if solid:
        loose = gone | set(waiting)
        if not loose:
            return plans.NOTHING
        return plans.Plan(actions=(_without_owners(snapshot.resource, snapshot.head, loose),))
    if waiting:
        if _is_in_circle(snapshot):
            return plans.Plan(actions=(_unblocking(snapshot),))
        manner: plans.Propagation = "Foreground" if snapshot.dependents else "Background"
        return plans.Plan(actions=(_deletion(snapshot, metadata.resource_version, manner),))
    found = snapshot.answers.get(_itself(snapshot), ())
    live = next((each for each in found if each.metadata.uid == metadata.uid), None)
    if live is None or live.metadata.owner_references != metadata.owner_references:
        return plans.NOTHING
    return plans.Plan(actions=(_deletion(snapshot, live.metadata.resource_version, _manner(live)),))


def _is_in_circle(snapshot: Snapshot) -> bool:
    """Whether an owner waits for this object, and one of its own dependents waits as well: where
    that is because they own one another, each would wait for ever."""
    blocks = any(it.block_owner_deletion for it in snapshot.head.metadata.owner_references)
    return blocks and any(
        head.metadata.deletion_timestamp is not None and FOREGROUND in head.metadata.finalizers
        for _, head in snapshot.dependents
    )


def _unblocking(snapshot: Snapshot) -> plans.Patch:
    """No owner waits for this object any more; it is looked at again when that is written."""
    references: list[dict[str, Any]] = [
        {**msgspec.to_builtins(owner), "blockOwnerDeletion": False}
        for owner in snapshot.head.metadata.owner_references
    ]
    return _patch(snapshot.resource, snapshot.head, {"ownerReferences": references})


def _manner(head: plans.Head) -> plans.Propagation:
    if ORPHAN in head.metadata.finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in head.metadata.finalizers else "Background"


def _deletion(
    snapshot: Snapshot, resource_version: str, propagation: plans.Propagation
) -> plans.Delete:
    metadata = snapshot.head.metadata
    return plans.Delete(
        resource=snapshot.resource,
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=resource_version,
        propagation=propagation,
    )


def _without_finalizer(snapshot: Snapshot, finalizer: str) -> plans.Patch:
    metadata = snapshot.head.metadata
    kept = [each for each in metadata.finalizers if each != finalizer]
    return _patch(snapshot.resource, snapshot.head, {"finalizers": kept})


def _without_owners(resource: Resource, head: plans.Head, loose: set[str]) -> plans.Patch:
    kept: list[dict[str, Any]] = [
        msgspec.to_builtins(owner)
        for owner in head.metadata.owner_references
        if owner.uid not in loose
    ]
    return _patch(resource, head, {"ownerReferences": kept})


def _patch(resource: Resource, head: plans.Head, metadata: dict[str, Any]) -> plans.Patch:
    return plans.Patch(
        resource=resource,
        namespace=head.metadata.namespace,
        name=head.metadata.name,
        uid=head.metadata.uid,
        resource_version=head.metadata.resource_version,
        body={"metadata": metadata},
    )


def _observe(caches: Caches, key: str, circumstances: Circumstances) -> Snapshot | None:
    name, _, object_key = key.partition("|")
    plural, _, group = name.partition(".")
    resource = caches.named(plural, group)
    head = caches.heads[resource].get(object_key) if resource is not None else None
    if resource is None or head is None:
        return None
    found = {owner.uid: _resolve(caches, head, owner) for owner in head.metadata.owner_references}
    return Snapshot(
        resource=resource,
        head=head,
        dependents=tuple(_dependents(caches, head.metadata.uid)),
        owners={
            owner.uid: _cached(caches, found[owner.uid], head, owner)
            for owner in head.metadata.owner_references
        },
        resources=found,
        answers=circumstances.answers,
    )


def _name(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}"


def _resolve(caches: Caches, head: plans.Head, owner: OwnerReference) -> Resource | None:
    """The resource that a reference means; None for a kind that is not known, and for an owner
    in a namespace of an object that is in none."""
    resource = caches.meant(owner.api_version, owner.kind)
    if resource is not None and resource.namespaced and not head.metadata.namespace:
        return None
    return resource


def _cached(
    caches: Caches, resource: Resource | None, head: plans.Head, owner: OwnerReference
) -> plans.Head | None:
    if resource is None:
        return None
    found = caches.heads[resource].get(key_of(_namespace_of(resource, head), owner.name))
    return found if found is not None and found.metadata.uid == owner.uid else None


def _dependents(caches: Caches, uid: str) -> Iterable[Item]:
    for resource, cache in caches.heads.items():
        for head in cache.indexed("owner", uid):
            yield resource, head


def _keys_of(resource: Resource) -> Keys:
    """Wake an object for its owners' or its own end, its owners for their dependents', and its
    dependents when it is gone or waits for them."""

    def key(each: Resource, head: plans.Head) -> str:
        return f"{_name(each)}|{key_of(head.metadata.namespace, head.metadata.name)}"

    def owner_keys(caches: Caches, head: plans.Head) -> Iterable[str]:
        for owner in head.metadata.owner_references:
            found = _resolve(caches, head, owner)
            if found is not None:
                name = key_of(_namespace_of(found, head), owner.name)
                yield f"{_name(found)}|{name}"

    def keys(caches: Caches, old: plans.Head | None, new: plans.Head | None) -> Iterable[str]:
        if old is not None and new is not None and _says_same(old, new):
            return
        if new is not None and (new.metadata.owner_references or new.metadata.deletion_timestamp):
            yield key(resource, new)
        if old is not None:
            yield from owner_keys(caches, old)
        if old is not None and (new is None or _is_ending(old, new)):
            for each, head in _dependents(caches, old.metadata.uid):
                yield key(each, head)

    return keys


def _is_ending(old: plans.Head, new: plans.Head) -> bool:
    """Whether the object is being deleted, or is only a namesake of the one before."""
    return new.metadata.deletion_timestamp is not None or new.metadata.uid != old.metadata.uid


def _says_same(old: plans.Head, new: plans.Head) -> bool:
    """Whether nothing has changed that matters here."""
    before, after = old.metadata, new.metadata
    return (
        before.uid == after.uid
        and before.owner_references == after.owner_references
        and before.finalizers == after.finalizers
        and before.deletion_timestamp == after.deletion_timestamp
    )


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(),
    every=_keys_of,
    observe=_observe,
    plan=plan,
)
