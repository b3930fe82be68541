"""What a migration writes anew, and when it is over."""

from datetime import UTC, datetime

import msgspec

from sampan.control.controllers import storage_version_migration as migrating
from sampan.control.controllers.plan import Head
from sampan.control.controllers.views import StorageVersionMigration
from sampan.kubernetes.kinds.resource import CONFIG_MAPS

NOW = datetime(2031, 1, 1, tzinfo=UTC)


def head(name, version):
    metadata = {"name": name, "namespace": "default", "uid": name, "resourceVersion": str(version)}
    return msgspec.convert({"metadata": metadata}, Head)


def planned(status=None, *, resource=CONFIG_MAPS, created="2031-01-01T00:00:00Z", **options):
    raw = {
        "metadata": {"name": "all", "uid": "u", "creationTimestamp": created},
        "spec": {"resource": {"resource": "configmaps"}},
        "status": status or {},
    }
    objects = (head("old", 5), head("older", 3), head("new", 9))
    migration = msgspec.convert(raw, StorageVersionMigration)
    return migrating.plan(migrating.Snapshot(migration, resource, objects, 9, **options), NOW)


def outcome(patch):
    return {it["type"]: (it["status"], it["message"]) for it in patch.body["status"]["conditions"]}


def running(version):
    (begun,) = planned().actions
    return {**begun.body["status"], "resourceVersion": str(version)}


def test_it_begins_by_noting_the_newest_version():
    (begun,) = planned().actions
    assert begun.body["status"]["resourceVersion"] == "9"
    assert outcome(begun) == {"Running": ("True", "it has begun")}


def test_what_is_older_is_written_anew_and_then_it_is_over():
    *rewrites, over = planned(running(7)).actions
    assert [(it.name, it.body, it.may_be_gone) for it in rewrites] == [
        ("old", {}, True),
        ("older", {}, True),
    ]
    assert outcome(over) == {
        "Running": ("False", "it is over"),
        "Succeeded": ("True", "2 objects are of the version that is stored"),
    }


def test_what_is_over_stays_as_it_is():
    over = planned(running(7)).actions[-1]
    assert planned(over.body["status"]).actions == ()


def test_a_rejection_fails_it():
    (failed,) = planned(running(7), rejection="denied by a webhook").actions
    assert outcome(failed)["Failed"] == ("True", "denied by a webhook")
    assert planned(failed.body["status"]).actions == ()


def test_a_resource_that_nobody_serves_is_waited_for_a_while():
    assert planned(resource=None).again_after == 1.0
    (failed,) = planned(resource=None, created="2030-12-31T23:59:00Z").actions
    assert outcome(failed)["Failed"] == ("True", "no such resource is served")
