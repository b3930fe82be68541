"""Who owns which fields of an object: `metadata.managedFields`, read and written.

The rules are those of k8s.io/apimachinery `util/managedfields`: an entry for each manager,
operation and subresource, for updates also for each version; sorted; at most ten of updates.
"""

from typing import Any, Literal

import msgspec

from sampan.kubernetes.machinery.field_set import (
    FieldSet,
    InvalidFieldSet,
    decode,
    difference,
    intersection,
    union,
)

MAXIMUM_UPDATERS = 10
ANCIENT = "ancient-changes"
APPLY: Literal["Apply"] = "Apply"
UPDATE: Literal["Update"] = "Update"
_FIELDS_TYPE = "FieldsV1"

Operation = Literal["Apply", "Update"]
Object = dict[str, Any]


class InvalidManagedFields(ValueError):
    """An entry that no server has written."""


class Manager(msgspec.Struct, frozen=True):
    """Who an entry is for. The version of appliers doesn't tell them apart and is empty."""

    name: str
    operation: Operation
    api_version: str
    subresource: str = ""

    def shown(self) -> str:
        """As conflicts name it: `"kubectl" with subresource "status" using apps/v1`."""
        text = msgspec.json.encode(self.name).decode()
        if self.subresource:
            text += f" with subresource {msgspec.json.encode(self.subresource).decode()}"
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


class Owned(msgspec.Struct, frozen=True):
    """What a manager owns, in which version of the object, and since when."""

    fields: FieldSet
    api_version: str
    time: str


Owners = dict[Manager, Owned]


def manager_of(name: str, operation: Operation, api_version: str, subresource: str) -> Manager:
    """The key of an entry."""
    return Manager(name, operation, "" if operation == APPLY else api_version, subresource)


def read(entries: Any) -> Owners:
    """Entries as the server itself has written them."""
    owners: Owners = {}
    for entry in entries or ():
        version = entry["apiVersion"]
        manager = manager_of(
            entry.get("manager", ""), entry["operation"], version, entry.get("subresource", "")
        )
        owners[manager] = Owned(entry.get("fieldsV1") or {}, version, entry.get("time", ""))
    return owners


def read_foreign(entries: Any) -> Owners:
    """Entries that a client sent. Raises InvalidManagedFields."""
    owners: Owners = {}
    for index, entry in enumerate(entries or ()):
        if entry.get("operation") not in (APPLY, UPDATE):
            raise InvalidManagedFields("operation must be `Apply` or `Update`")
        version = entry.get("apiVersion")
        if not version:
            raise InvalidManagedFields("apiVersion must not be empty")
        if entry.get("fieldsType") != _FIELDS_TYPE:
            raise InvalidManagedFields(f"invalid fieldsType in managed fields entry {index}")
        try:
            fields = decode(entry.get("fieldsV1") or {})
        except InvalidFieldSet as error:
            raise InvalidManagedFields(str(error)) from error
        manager = manager_of(
            entry.get("manager", ""), entry["operation"], version, entry.get("subresource", "")
        )
        owners[manager] = Owned(fields, version, entry.get("time", ""))
    return owners


def written(owners: Owners) -> list[Object]:
    """The entries, in the order in which they are stored."""
    if len(owners) == 1:
        return [_entry(*pair) for pair in owners.items()]
    return [_entry(*pair) for pair in sorted(owners.items(), key=_place)]


def _place(pair: tuple[Manager, Owned]) -> tuple[str, ...]:
    manager, owned = pair
    return (
        manager.operation,
        owned.time,
        manager.name,
        owned.api_version,
        manager.subresource,
    )


def _entry(manager: Manager, owned: Owned) -> Object:
    entry: Object = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": owned.api_version,
        "time": owned.time,
        "fieldsType": _FIELDS_TYPE,
        "fieldsV1": owned.fields,
    }
    if not manager.name:
        del entry["manager"]
    if not owned.time:
        del entry["time"]
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


def without(owners: Owners, fields: FieldSet, *, spared: Manager | None) -> Owners:
    """The owners when these fields are taken from all of them but one; emptied ones are gone."""
    left: Owners = {}
    for manager, owned in owners.items():
        if manager != spared and intersection(owned.fields, fields):
            kept = difference(owned.fields, fields)
            owned = Owned(kept, owned.api_version, owned.time)  # noqa: PLW2901
        if owned.fields:
            left[manager] = owned
    return left


def capped(owners: Owners) -> Owners:
    """The oldest updates of each version in one entry, when there are too many of them."""
    updaters = [pair for pair in owners.items() if pair[0].operation == UPDATE]
    surplus = len(updaters) - MAXIMUM_UPDATERS
    if surplus <= 0:
        return owners
    left, first = dict(owners), dict[str, Manager]()
    for manager, owned in sorted(updaters, key=_age):
        if surplus <= 0:
            break
        version = owned.api_version
        before = first.setdefault(version, manager)
        if before == manager:
            continue
        bucket = Manager(ANCIENT, UPDATE, version)
        if bucket not in left:
            left[bucket] = left.pop(before)
        joined = union(left[bucket].fields, owned.fields)
        if manager != bucket:
            del left[manager]
        left[bucket] = Owned(joined, version, owned.time)
        surplus -= 1
    return left


def _age(pair: tuple[Manager, Owned]) -> tuple[str, ...]:
    manager, owned = pair
    return owned.time, manager.name, manager.api_version, manager.subresource


def same_but_for_times(one: Any, other: Any) -> bool:
    """Whether two lists of entries differ in nothing but when fields were taken."""
    if one == other:
        return True
    before, after = read(one), read(other)
    return before.keys() == after.keys() and all(
        (owned.fields, owned.api_version) == (after[manager].fields, after[manager].api_version)
        for manager, owned in before.items()
    )
