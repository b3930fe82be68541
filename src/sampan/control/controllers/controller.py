"""What a controller is: a name, what wakes it, what it looks at, and its plan.

A record, without behaviour: the runner turns it into queues, tasks and requests.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from sampan.control.controllers.caches import Cache, Caches
from sampan.control.controllers.plan import Answers, Permissions, Plan
from sampan.kubernetes.kinds.resource import Resource

SnapshotT = TypeVar("SnapshotT")
Keys = Callable[[Caches, Any, Any], Iterable[str]]
"""`keys(caches, old, new)` names what to plan again: see `Watch`."""


class Watch(msgspec.Struct, frozen=True):
    """Which changes wake the controller: `keys(caches, old, new)` names what to plan again.

    `old` is None for an object that is new, `new` for one that is gone.
    """

    cache: Callable[[Caches], Cache[Any]]
    keys: Keys


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What the runner knows beside the caches when it has a key planned.

    `answers` are to the `reads` of the plan before, `permissions` to its questions; `failure` is
    the message of the last request for this key, if it failed, and `is_rejected` tells that to
    repeat it would not help.
    """

    answers: Answers = {}
    permissions: Permissions = {}
    failure: str = ""
    is_rejected: bool = False


class Controller(msgspec.Struct, Generic[SnapshotT], frozen=True):
    """`observe` gathers what `plan` decides on, None when there is nothing to decide;
    `plan` is pure. `account` is the service account in kube-system that it writes as,
    `component` the name under which it records events. `every` says for a resource what the
    metadata of its objects wakes, of resources that come while it works as well."""

    account: str
    component: str
    watches: tuple[Watch, ...]
    observe: Callable[[Caches, str, Circumstances], SnapshotT | None]
    plan: Callable[[SnapshotT, datetime], Plan]
    workers: int = 4
    every: Callable[[Resource], Keys] | None = None


def keys_of_self(_caches: Caches, old: Any, new: Any) -> Iterable[str]:
    """The changed object's own key."""
    metadata = (new or old).metadata
    return (key_of(metadata.namespace, metadata.name),)


def keys_of_controller(kind: str) -> Callable[[Caches, Any, Any], Iterable[str]]:
    """The key of the changed object's controller, before and after, if it is of this kind."""

    def keys(_caches: Caches, old: Any, new: Any) -> Iterable[str]:
        found = set()
        for each in (old, new):
            owner = each.metadata.controller if each is not None else None
            if owner is not None and owner.kind == kind:
                found.add(key_of(each.metadata.namespace, owner.name))
        return found

    return keys


def key_of(namespace: str, name: str) -> str:
    """`namespace/name`, or the name alone for an object of the cluster."""
    return f"{namespace}/{name}" if namespace else name
