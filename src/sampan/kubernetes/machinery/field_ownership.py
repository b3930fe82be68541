"""What a write does to the ownership of fields: updates take it, applies may not without force.

The rules are those of structured-merge-diff's `Updater` and of the chain of field managers round
it in k8s.io/apimachinery. Pure: the time is an argument, and trees are never changed.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from sampan.kubernetes.machinery.field_change import Change
from sampan.kubernetes.machinery.field_merge import fitted, merge, remove, with_named
from sampan.kubernetes.machinery.field_places import Members
from sampan.kubernetes.machinery.field_set import (
    FieldSet,
    difference,
    intersection,
    paths,
    render,
    union,
)
from sampan.kubernetes.machinery.managed_fields import (
    UPDATE,
    InvalidManagedFields,
    Manager,
    Object,
    Owned,
    Owners,
    capped,
    read,
    read_foreign,
    without,
    written,
)

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
KUBECTL = "kubectl"
BEFORE_FIRST_APPLY = "before-first-apply"

_OF_NOBODY = frozenset(
    {
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    }
)
_NO_FIELDS = ("apiVersion", "kind")
_decoder = msgspec.json.Decoder(dict[str, Any])


class Conflicts(Exception):
    """Others own fields that are applied with other values."""

    def __init__(self, found: Sequence[tuple[Manager, FieldSet]]) -> None:
        super().__init__("Apply failed")
        self.found = tuple(found)

    def pairs(self) -> list[tuple[Manager, str]]:
        """Each field that is in conflict, with its owner."""
        return [(owner, render(path)) for owner, fields in self.found for path in paths(fields)]


class Scope(msgspec.Struct, frozen=True):
    """The parts of an object that a request writes: the fields of the whole that count.

    Without `only`, all but `never`.
    """

    only: frozenset[str] | None = None
    never: frozenset[str] = frozenset()

    def of(self, tree: Object) -> Object:
        """The parts of an object that somebody may own."""
        parts = {
            name: value
            for name, value in tree.items()
            if name not in _NO_FIELDS
            and name not in self.never
            and (self.only is None or name in self.only)
        }
        metadata = parts.pop("metadata", None) or {}
        owned = {name: value for name, value in metadata.items() if name not in _OF_NOBODY}
        if owned:
            parts["metadata"] = owned
        return parts


WHOLE = Scope()


class Writing(msgspec.Struct, frozen=True):
    """Who writes, what of the object, and when."""

    manager: Manager
    api_version: str
    time: str
    scope: Scope = WHOLE


def updated(place: Members, old: Object | None, new: Object, writing: Writing) -> list[Object]:
    """The entries after a create (without `old`) or an update; `new` may bring its own.

    Objects whose owners nobody ever noted stay without.
    """
    before = (old or {}).get("metadata", {}).get("managedFields")
    owners = _starting_owners(before, new, ignore=bool(writing.manager.subresource))
    if not owners and old is not None:
        return []
    change = place.differences(writing.scope.of(old or {}), writing.scope.of(new))
    if not change:
        return before if before and owners == read(before) else written(owners)
    return written(_after_update(owners, change, writing))


def _starting_owners(before: Any, new: Object, *, ignore: bool) -> Owners:
    """The current owners, or those that a client has set in their place."""
    given = new["metadata"].get("managedFields")
    if ignore or not given or given == before:
        return read(before)
    if given == [{}]:
        return {}
    try:
        return read_foreign(given)
    except InvalidManagedFields:
        return read(before)


def _after_update(owners: Owners, change: Change, writing: Writing) -> Owners:
    taken = union(change.modified, change.added)
    if not owners and taken:
        return {writing.manager: Owned(taken, writing.api_version, writing.time)}
    left = without(owners, taken, spared=None)
    left = without(left, change.removed, spared=None)
    mine = left.get(writing.manager)
    if taken:
        fields = union(mine.fields, taken) if mine is not None else taken
        left[writing.manager] = Owned(fields, writing.api_version, writing.time)
    return capped(left)


def applied(
    place: Members, live: Object | None, config: Object, writing: Writing, *, force: bool
) -> Object:
    """The object with a configuration applied to it, `managedFields` included.

    `live` is None where there is no object yet. Raises Conflicts and InvalidItems.
    """
    base: Object = live or {"metadata": {}}
    owners = {
        owner: Owned(fitted(place, owned.fields), owned.api_version, owned.time)
        for owner, owned in read(base["metadata"].get("managedFields")).items()
    }
    if live is not None and not owners:
        owners = _before_first_apply(place, live, writing)
    wanted = _wanted(config, writing.scope)
    last = owners.get(writing.manager)
    mine = Owned(place.fields(writing.scope.of(wanted)), writing.api_version, writing.time)
    owners[writing.manager] = mine
    merged: Object = merge(place, base, wanted)
    if last is not None:
        # The object's names are nobody's, but applied they are, and so they stay.
        merged = _pruned(place, merged, owners, place.fields(wanted), last.fields)
    change = place.differences(WHOLE.of(base), WHOLE.of(merged))
    taken = union(change.modified, change.added)
    conflicts = _conflicts(owners, taken, writing.manager)
    if conflicts and not force:
        conflicts = _not_excused(place, live, conflicts, writing)
        if conflicts:
            raise Conflicts(conflicts)
    owners = without(owners, taken, spared=writing.manager)
    owners = without(owners, change.removed, spared=writing.manager)
    metadata = {**merged["metadata"], "managedFields": written(owners)}
    return _with_last_applied({**merged, "metadata": metadata}, config, writing)


def _wanted(config: Object, scope: Scope) -> Object:
    """What of a configuration counts in the scope, with the names of the object."""
    wanted = {name: config[name] for name in _NO_FIELDS if name in config}
    metadata = config.get("metadata") or {}
    names = {name: value for name, value in metadata.items() if name in _OF_NOBODY}
    parts = scope.of(config)
    return {**wanted, **parts, "metadata": {**names, **(parts.get("metadata") or {})}}


def _before_first_apply(place: Members, live: Object, writing: Writing) -> Owners:
    """Whatever is there when nobody's ownership was noted belongs to one entry."""
    found = place.differences({}, WHOLE.of(live)).added
    manager = Manager(BEFORE_FIRST_APPLY, UPDATE, writing.api_version)
    return {manager: Owned(found, writing.api_version, writing.time)} if found else {}


def _pruned(
    place: Members, merged: Object, owners: Owners, now: FieldSet, last: FieldSet
) -> Object:
    """Without what the applier applied last time, not now, and nobody else owns."""
    owned = now
    for owner in owners.values():
        owned = union(owned, owner.fields)
    owned, last = with_named(place, owned), with_named(place, last)
    present = with_named(place, place.fields(merged))
    left = _present(place, remove(place, merged, last))
    gone = difference(present, union(left, owned))
    left = _present(place, remove(place, merged, gone))
    gone = intersection(difference(present, left), last)
    pruned: Object = remove(place, merged, gone)
    return pruned


def _present(place: Members, tree: Any) -> FieldSet:
    return with_named(place, place.fields(tree or {}))


def _conflicts(owners: Owners, taken: FieldSet, manager: Manager) -> list[tuple[Manager, FieldSet]]:
    found = [
        (owner, fields)
        for owner, owned in owners.items()
        if owner != manager and (fields := intersection(owned.fields, taken))
    ]
    return sorted(found, key=lambda pair: (pair[0].name, pair[0].operation, pair[0].subresource))


def _not_excused(
    place: Members,
    live: Object | None,
    conflicts: list[tuple[Manager, FieldSet]],
    writing: Writing,
) -> list[tuple[Manager, FieldSet]]:
    """The conflicts that remain when kubectl goes from client-side apply to server-side apply:
    it may take what it applied last, where nobody has changed that."""
    text = ((live or {}).get("metadata", {}).get("annotations") or {}).get(LAST_APPLIED)
    if writing.manager.name != KUBECTL or not text or live is None:
        return conflicts
    try:
        last = WHOLE.of(_decoder.decode(text))
    except (msgspec.DecodeError, AttributeError):
        return conflicts
    change = place.differences(last, WHOLE.of(live))
    changed = union(union(change.modified, change.added), change.removed)
    excused = difference(place.fields(last), changed)
    left = [(owner, difference(fields, excused)) for owner, fields in conflicts]
    return [pair for pair in left if pair[1]]


def _with_last_applied(merged: Object, config: Object, writing: Writing) -> Object:
    """kubectl's note of what it applied last, kept true where there is one."""
    metadata: Object = merged["metadata"]
    annotations = metadata.get("annotations") or {}
    if writing.manager.name != KUBECTL or not annotations.get(LAST_APPLIED):
        return merged
    given = config.get("metadata") or {}
    noted = {
        name: text
        for name, text in (given.get("annotations") or {}).items()
        if name != LAST_APPLIED
    }
    note = {**config, "metadata": {**given, "annotations": noted}}
    if not noted:
        del note["metadata"]["annotations"]
    text = msgspec.json.encode(note, order="sorted").decode() + "\n"
    annotations = {**annotations, LAST_APPLIED: text}
    return {**merged, "metadata": {**metadata, "annotations": annotations}}
