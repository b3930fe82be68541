"""What is deleted for want of an owner, and what is not when that is uncertain."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from sampan.control.controllers import garbage, namespace
from sampan.control.controllers.plan import Delete, Get, Head, List, Patch, Plan, Update
from sampan.control.controllers.views import Namespace
from sampan.kubernetes.kinds.resource import (
    CONFIG_MAPS,
    EVENTS,
    PODS,
    REPLICA_SETS,
    Resource,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a", "uid": "a", "controller": True}
SECOND = {**FIRST, "name": "b", "uid": "b", "controller": False}


def head(name: str, *owners: dict[str, Any], **metadata: Any) -> Head:
    base = {"name": name, "namespace": "default", "uid": name, "resourceVersion": "7"}
    return msgspec.convert({"metadata": {**base, "ownerReferences": owners, **metadata}}, Head)


def planned(
    item: Head,
    owners: dict[str, Head | None] | None = None,
    answers: dict[Get | List, tuple[Head, ...]] | None = None,
    dependents: tuple[tuple[Resource, Head], ...] = (),
    *,
    unknown: bool = False,
) -> Plan:
    owners = owners or {}
    resources = dict.fromkeys(owners, None if unknown else REPLICA_SETS)
    snapshot = garbage.Snapshot(PODS, item, dependents, owners, resources, answers or {})
    return garbage.plan(snapshot, NOW)


def asked(**found: tuple[Head, ...]) -> dict[Get | List, tuple[Head, ...]]:
    answers: dict[Get | List, tuple[Head, ...]] = {
        Get(REPLICA_SETS, name, "default"): heads for name, heads in found.items() if name != "pod"
    }
    answers[Get(PODS, "pod", "default")] = found.get("pod", ())
    return answers


def test_an_owner_that_is_there_keeps_its_dependent() -> None:
    assert planned(head("pod", FIRST), {"a": head("a")}) == Plan()


def test_an_owner_that_the_cache_misses_is_asked_for_before_anything_is_deleted() -> None:
    plan = planned(head("pod", FIRST), {"a": None})
    assert plan.actions == ()
    assert set(plan.reads) == {Get(REPLICA_SETS, "a", "default"), Get(PODS, "pod", "default")}
    there = asked(a=(head("a"),), pod=(head("pod", FIRST),))
    assert planned(head("pod", FIRST), {"a": None}, there) == Plan()


def test_a_dependent_whose_owner_is_gone_is_deleted_as_it_was_seen() -> None:
    item = head("pod", FIRST)
    (deletion,) = planned(item, {"a": None}, asked(a=(), pod=(item,))).actions
    assert isinstance(deletion, Delete)
    assert (deletion.uid, deletion.resource_version) == ("pod", "7")
    assert deletion.propagation == "Background"


def test_a_namesake_of_the_owner_is_not_the_owner() -> None:
    item = head("pod", FIRST)
    answers = asked(a=(head("a", uid="another"),), pod=(item,))
    assert len(planned(item, {"a": None}, answers).actions) == 1


def test_a_dependent_that_has_changed_meanwhile_is_not_deleted() -> None:
    answers = asked(a=(), pod=(head("pod", FIRST, SECOND),))
    assert planned(head("pod", FIRST), {"a": None}, answers).actions == ()


def test_an_owner_of_an_unknown_kind_keeps_its_dependent() -> None:
    assert planned(head("pod", FIRST), {"a": None}, unknown=True) == Plan()


def test_one_owner_left_is_enough_and_the_lost_one_is_struck_out() -> None:
    item = head("pod", FIRST, SECOND)
    answers = asked(a=(), pod=(item,))
    (patch,) = planned(item, {"a": None, "b": head("b")}, answers).actions
    assert isinstance(patch, Patch)
    assert [each["uid"] for each in patch.body["metadata"]["ownerReferences"]] == ["b"]


def test_an_owner_that_waits_for_its_dependents_has_them_deleted() -> None:
    waiting = head("a", finalizers=["foregroundDeletion"], deletionTimestamp="2026-01-01T00:00:00Z")
    (deletion,) = planned(head("pod", FIRST), {"a": waiting}).actions
    assert isinstance(deletion, Delete)
    assert deletion.propagation == "Background"


def deleting(finalizer: str) -> Head:
    return head("pod", finalizers=[finalizer, "x"], deletionTimestamp="2026-01-01T00:00:00Z")


def test_foreground_deletion_waits_for_those_that_block() -> None:
    blocking = {**FIRST, "uid": "pod", "blockOwnerDeletion": True}
    waits = planned(deleting("foregroundDeletion"), dependents=((PODS, head("d", blocking)),))
    assert waits == Plan()
    (patch,) = planned(deleting("foregroundDeletion")).actions
    assert isinstance(patch, Patch)
    assert patch.body == {"metadata": {"finalizers": ["x"]}}


def test_orphans_are_cut_loose_before_the_owner_goes() -> None:
    dependent = head("d", {**FIRST, "uid": "pod"}, SECOND)
    (patch,) = planned(deleting("orphan"), dependents=((CONFIG_MAPS, dependent),)).actions
    assert isinstance(patch, Patch)
    assert patch.resource == CONFIG_MAPS
    assert [each["uid"] for each in patch.body["metadata"]["ownerReferences"]] == ["b"]
    (last,) = planned(deleting("orphan")).actions
    assert isinstance(last, Patch)
    assert last.body == {"metadata": {"finalizers": ["x"]}}


def the_namespace(*, terminating: bool = True) -> Namespace:
    body: dict[str, Any] = {
        "metadata": {"name": "team", "uid": "n", "resourceVersion": "3"},
        "spec": {"finalizers": ["kubernetes"]},
    }
    if terminating:
        body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return msgspec.convert(body, Namespace)


def emptied(*content: Head, terminating: bool = True, answered: bool = True) -> Plan:
    answers = {List(PODS, "team"): content, List(EVENTS, "team"): ()} if answered else {}
    the = the_namespace(terminating=terminating)
    return namespace.plan(namespace.Snapshot(the, (EVENTS, PODS), answers), NOW)


def test_a_namespace_in_use_is_left_alone() -> None:
    assert emptied(terminating=False) == Plan()


def test_what_a_namespace_holds_is_asked_of_the_api() -> None:
    assert emptied(answered=False).reads == (List(EVENTS, "team"), List(PODS, "team"))


def test_all_in_a_namespace_is_deleted_once() -> None:
    (deletion,) = emptied(head("p"), head("q", deletionTimestamp="2026-01-01T00:00:00Z")).actions
    assert isinstance(deletion, Delete)
    assert deletion.name == "p"


def test_an_empty_namespace_is_let_go() -> None:
    (update,) = emptied().actions
    assert isinstance(update, Update)
    assert update.subresource == "finalize"
    assert update.body["spec"] == {"finalizers": []}
    assert update.body["metadata"]["resourceVersion"] == "3"
