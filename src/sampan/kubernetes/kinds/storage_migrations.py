"""The kind of the group `storagemigration.k8s.io`: StorageVersionMigration.

It asks for all objects of a resource to be written anew, in the version that is stored now.
"""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import NAME, part, text
from sampan.kubernetes.kinds.field_rules import check_required_text, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import STORAGE_VERSION_MIGRATIONS
from sampan.kubernetes.machinery import names

_FIELD = "spec.resource"


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    resource = part(new, "spec", "resource") or {}
    if resource.get("group"):
        yield from check_text(names.subdomain, resource["group"], f"{_FIELD}.group")
    yield from check_required_text(resource, "resource", _FIELD, names.label)
    if old is not None:
        yield from check_immutable(new.get("spec"), old.get("spec"), "spec")


def _resource(migration: Object) -> str:
    resource = part(migration, "spec", "resource") or {}
    return ".".join(it for it in (resource.get("resource"), resource.get("group")) if it)


STORAGE_VERSION_MIGRATION = make(
    STORAGE_VERSION_MIGRATIONS,
    prepare=strategies.keep_status_count_generation,
    rules=_rules,
    prepare_status=strategies.only_status,
    status=True,
    columns=(
        NAME,
        text("Resource", _resource, about="Fully qualified resource to migrate"),
    ),
)
