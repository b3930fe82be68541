"""Has all objects of a resource written anew, in the version that is stored now (KEP-4192).

A migration begins by noting how far the resource's history has come: what was written after that
is of the new version already. Each older object then gets a patch that changes nothing; the API
writes it all the same where it lies in the store in another version. What has gone or was
replaced meanwhile needs nothing. A patch that the API rejects for what it is fails the migration.
"""

from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.views import StorageVersionMigration
from sampan.kubernetes.kinds.resource import STORAGE_VERSION_MIGRATIONS, Resource
from sampan.kubernetes.machinery import conditions, timestamps

ACCOUNT = COMPONENT = "storage-version-migrator-controller"
DISCOVERY = timedelta(seconds=30)

_Outcome = Literal["Running", "Succeeded", "Failed"]
_REASONS: dict[_Outcome, str] = {
    "Running": "StorageVersionMigrationInProgress",
    "Succeeded": "StorageVersionMigrationSucceeded",
    "Failed": "StorageVersionMigrationFailed",
}


class Snapshot(msgspec.Struct, frozen=True):
    """`resource` is None while nobody serves one of that name; `revision` is the newest version
    of its objects; `rejection` is what the API said of a patch that it will never take."""

    migration: StorageVersionMigration
    resource: Resource | None
    objects: tuple[plans.Head, ...]
    revision: int
    rejection: str = ""


def plan(snapshot: Snapshot, now: datetime) -> plans.Plan:
    """Begin, migrate, or conclude."""
    migration, resource = snapshot.migration, snapshot.resource
    if migration.metadata.deletion_timestamp or _is(migration, "Succeeded", "Failed"):
        return plans.NOTHING
    if resource is None:
        return _without_resource(migration, now)
    if snapshot.rejection:
        return plans.Plan(actions=(_concluded(migration, "Failed", snapshot.rejection, now),))
    if not _is(migration, "Running"):
        return plans.Plan(actions=(_begun(snapshot, now),))
    noted = int(migration.status.resource_version or 0)
    rewrites = tuple(
        _rewrite(resource, each)
        for each in snapshot.objects
        if int(each.metadata.resource_version) <= noted
    )
    told = f"{len(rewrites)} objects are of the version that is stored"
    return plans.Plan(actions=(*rewrites, _concluded(migration, "Succeeded", told, now)))


def _is(migration: StorageVersionMigration, *outcomes: _Outcome) -> bool:
    present = (conditions.find(migration.status.conditions, outcome) for outcome in outcomes)
    return any(each is not None and each["status"] == "True" for each in present)


def _without_resource(migration: StorageVersionMigration, now: datetime) -> plans.Plan:
    """A definition that came a moment ago may not be known yet."""
    created = timestamps.parse(migration.metadata.creation_timestamp or "1970-01-01T00:00:00Z")
    if now < created + DISCOVERY:
        return plans.Plan(again_after=1.0)
    told = "no such resource is served"
    return plans.Plan(actions=(_concluded(migration, "Failed", told, now),))


def _begun(snapshot: Snapshot, now: datetime) -> plans.Patch:
    migration = snapshot.migration
    status = {
        "resourceVersion": str(snapshot.revision),
        "conditions": _with(migration.status.conditions, "Running", "True", now, "it has begun"),
    }
    return plans.status_patch(STORAGE_VERSION_MIGRATIONS, migration.metadata, status)


def _concluded(
    migration: StorageVersionMigration, outcome: _Outcome, told: str, now: datetime
) -> plans.Patch:
    present: list[dict[str, Any]] = list(migration.status.conditions)
    if _is(migration, "Running"):
        present = _with(present, "Running", "False", now, "it is over")
    present = _with(present, outcome, "True", now, told)
    status = {"conditions": present}
    return plans.status_patch(STORAGE_VERSION_MIGRATIONS, migration.metadata, status)


def _with(
    present: list[dict[str, Any]],
    outcome: _Outcome,
    status: Literal["True", "False"],
    now: datetime,
    told: str,
) -> list[dict[str, Any]]:
    moment, reason = timestamps.to_seconds(now), _REASONS[outcome]
    return conditions.with_condition(present, outcome, status, moment, reason=reason, message=told)


def _rewrite(resource: Resource, head: plans.Head) -> plans.Patch:
    metadata = head.metadata
    return plans.Patch(
        resource=resource,
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        body={},
        may_be_gone=True,
    )


def observe(caches: Caches, key: str, circumstances: Circumstances) -> Snapshot | None:
    """The migration with all objects that it is about; None for one that is gone."""
    migration = caches.storage_version_migrations.get(key)
    if migration is None:
        return None
    wanted = migration.spec.resource
    resource = caches.named(wanted.resource, wanted.group)
    if resource is None:
        return Snapshot(migration, None, (), 0)
    objects = caches.heads[resource]
    rejection = circumstances.failure if circumstances.is_rejected else ""
    return Snapshot(migration, resource, objects.all(), objects.revision, rejection)


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(Watch(lambda caches: caches.storage_version_migrations, keys_of_self),),
    observe=observe,
    plan=plan,
    workers=1,
)
