"""Empties a namespace that is being deleted, and then lets it go.

What lies in the namespace is asked of the API itself, not of a cache: only an answer that is
newer than the namespace's end proves that nothing is left. That an object in it begins to end, or
is gone, wakes the plan again; events, of which no cache is kept, are gone as soon as they are
deleted. What takes its time is told in the namespace's status.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from sampan.control.controllers import namespace_conditions
from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.views import Namespace
from sampan.kubernetes.kinds.resource import EVENTS, NAMESPACES, PODS, Resource

ACCOUNT = COMPONENT = "namespace-controller"
FINALIZER = "kubernetes"
Content = list[tuple[Resource, plans.Head]]
_EVENTS_GONE_SECONDS = 0.05


class Snapshot(msgspec.Struct, frozen=True):
    """`failure` is why the content could not be seen or deleted."""

    namespace: Namespace
    resources: tuple[Resource, ...]
    answers: plans.Answers
    failure: str = ""


def plan(snapshot: Snapshot, now: datetime) -> plans.Plan:
    """Delete all that is there, pods before the rest (KEP-5080: none shall run on without the
    policies and settings it was started under); when nothing is, take the finalizer away."""
    namespace = snapshot.namespace
    if not namespace.is_terminating or FINALIZER not in namespace.spec.finalizers:
        return plans.NOTHING
    reads = tuple(plans.List(each, namespace.metadata.name) for each in snapshot.resources)
    if any(read not in snapshot.answers for read in reads):
        # It may be that the content can't be seen at all: that is told once, then tried again.
        if snapshot.failure and not namespace_conditions.tells_failure(_conditions(namespace)):
            return plans.Plan(actions=_telling(namespace, None, snapshot.failure, now))
        return plans.Plan(reads=reads)
    content = [(read.resource, head) for read in reads for head in snapshot.answers[read]]
    if not content:
        return plans.Plan(actions=_ending(namespace, now))
    pods = [each for each in content if each[0] == PODS]
    deletions = [
        _deletion(resource, head)
        for resource, head in pods or content
        if head.metadata.deletion_timestamp is None
    ]
    # Most content is gone at once: only what stays is worth telling.
    settled = snapshot.failure or not deletions
    telling = _telling(namespace, content, snapshot.failure, now) if settled else ()
    return plans.Plan(
        actions=(*telling, *deletions),
        again_after=_EVENTS_GONE_SECONDS if any(each == EVENTS for each, _ in content) else None,
    )


def _telling(
    namespace: Namespace, content: Content | None, failure: str, now: datetime
) -> tuple[plans.Action, ...]:
    """The conditions written, if they have changed; None for content that is not known."""
    present = _conditions(namespace)
    following = namespace_conditions.told(present, content, failure, now)
    if following == present:
        return ()
    change = {"conditions": following}
    return (plans.status_patch(NAMESPACES, namespace.metadata, change),)


def _conditions(namespace: Namespace) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(each) for each in namespace.status.conditions]


def _ending(namespace: Namespace, now: datetime) -> tuple[plans.Action, ...]:
    """The finalizer goes, and with the last of them the namespace; others are told that it is
    empty."""
    others = any(each != FINALIZER for each in namespace.spec.finalizers)
    waits = others or bool(namespace.metadata.finalizers)
    return (_finalization(namespace), *(_telling(namespace, [], "", now) if waits else ()))


def _deletion(resource: Resource, head: plans.Head) -> plans.Delete:
    return plans.Delete(
        resource=resource,
        namespace=head.metadata.namespace,
        name=head.metadata.name,
        uid=head.metadata.uid,
        propagation="Background",
    )


def _finalization(namespace: Namespace) -> plans.Update:
    metadata = namespace.metadata
    kept = [each for each in namespace.spec.finalizers if each != FINALIZER]
    return plans.Update(
        resource=NAMESPACES,
        subresource="finalize",
        body={
            "apiVersion": NAMESPACES.group_version,
            "kind": NAMESPACES.kind,
            "metadata": {
                "name": metadata.name,
                "uid": metadata.uid,
                "resourceVersion": metadata.resource_version,
            },
            "spec": {"finalizers": kept},
        },
    )


def _observe(caches: Caches, key: str, circumstances: Circumstances) -> Snapshot | None:
    namespace = caches.namespaces.get(key)
    if namespace is None:
        return None
    content = (each for each in (*caches.heads, EVENTS) if each.namespaced)
    ordered = sorted(content, key=lambda each: (each == PODS, each.group, each.plural))
    return Snapshot(namespace, tuple(ordered), circumstances.answers, circumstances.failure)


def _keys_of_ending(
    caches: Caches, old: plans.Head | None, new: plans.Head | None
) -> Iterable[str]:
    """A namespace that is being deleted is looked at again when something in it begins to end,
    or is gone."""
    if old is None or (new is not None and not _begins_to_end(old, new)):
        return ()
    namespace = caches.namespaces.get(old.metadata.namespace)
    return () if namespace is None or not namespace.is_terminating else (old.metadata.namespace,)


def _begins_to_end(old: plans.Head, new: plans.Head) -> bool:
    return old.metadata.deletion_timestamp is None and new.metadata.deletion_timestamp is not None


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(Watch(lambda caches: caches.namespaces, keys_of_self),),
    every=lambda _resource: _keys_of_ending,
    observe=_observe,
    plan=plan,
)
