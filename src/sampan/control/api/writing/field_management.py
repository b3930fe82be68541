"""Who the fields that a request writes will belong to: from its options to `managedFields`.

The rules of ownership are in `kubernetes/machinery/field_ownership`; here a kind's schema and
subresources, the options of a request, and the time meet them.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from sampan.control.api.admission.write import Write
from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.kind import CustomDefinition, Kind, Object
from sampan.kubernetes.machinery.field_ownership import Scope, Writing, updated
from sampan.kubernetes.machinery.field_places import Members, root
from sampan.kubernetes.machinery.managed_fields import (
    UPDATE,
    Operation,
    manager_of,
    same_but_for_times,
)
from sampan.kubernetes.machinery.timestamps import to_seconds
from sampan.kubernetes.schema.definitions import definition

Clock = Callable[[], datetime]
MANAGED = "managedFields"

_STATUS = Scope(only=frozenset({"status"}))
_STATUS_AND_METADATA = Scope(only=frozenset({"status", "metadata"}))
_BUT_STATUS = Scope(never=frozenset({"status"}))
_WHOLE = Scope()


class _Same:
    """A key that stands for one custom definition, not for its content."""

    __slots__ = ("custom",)

    def __init__(self, custom: CustomDefinition) -> None:
        self.custom = custom

    def __hash__(self) -> int:
        return id(self.custom)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.custom is self.custom


def place_of(kind: Kind) -> Members:
    """The place that ownership sees in objects of a kind."""
    return _custom(_Same(kind.custom)) if kind.custom else _published(kind.definition)


@lru_cache(maxsize=512)
def _published(name: str) -> Members:
    return root(definition(name))


@lru_cache(maxsize=512)
def _custom(key: _Same) -> Members:
    return root(key.custom.schema)


def scope_of(kind: Kind, subresource: str) -> Scope:
    """The parts that a write to the object (for "") or to a subresource can change."""
    if subresource == "approval":
        return _STATUS_AND_METADATA
    if subresource == "status":
        with_labels = kind.prepare_status is strategies.status_with_labels
        return _STATUS_AND_METADATA if with_labels else _STATUS
    return _BUT_STATUS if kind.subresource("status") is not None else _WHOLE


def writing(
    kind: Kind, name: str, operation: Operation, subresource: str, now: datetime
) -> Writing:
    """A write of a kind's object under a manager's name."""
    version = kind.resource.group_version
    scope = scope_of(kind, "" if subresource == "scale" else subresource)
    manager = manager_of(name, operation, version, subresource)
    return Writing(manager, version, to_seconds(now), scope)


def updating_owners(name: str, clock: Clock) -> Callable[[Write], list[Object]]:
    """How a create, update or patch under this name leaves the ownership of fields."""

    def owners(write: Write) -> list[Object]:
        made = writing(write.kind, name, UPDATE, write.subresource, clock())
        return updated(place_of(write.kind), write.old, write.object, made)

    return owners


def differs_in_times_alone(new: Object, old: Object) -> bool:
    """Whether nothing changed but the time at which somebody took what they had already.

    The two differ somewhere.
    """
    one, other = new["metadata"], old["metadata"]
    if MANAGED not in one or MANAGED not in other or one[MANAGED] == other[MANAGED]:
        return False
    if {**new, "metadata": None} != {**old, "metadata": None}:
        return False
    if {**one, MANAGED: None} != {**other, MANAGED: None}:
        return False
    return same_but_for_times(one[MANAGED], other[MANAGED])
