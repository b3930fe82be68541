"""What holds for the smallest right object of every kind of the core and the workload groups."""

import pytest
from tests.kubernetes.kinds.minimal_objects import (
    GROUPS,
    KINDS,
    MINIMAL,
    copied,
    created,
    identifier,
)

from sampan.kubernetes.kinds.all import ALL
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.schema import structure


def test_every_stored_kind_of_these_groups_has_a_minimal_object() -> None:
    kinds = {kind.resource.kind for kind in ALL if kind.resource.group in GROUPS and kind.stored}
    assert kinds - MINIMAL.keys() <= {"Event", "ComponentStatus"}


@pytest.mark.parametrize("kind", KINDS, ids=identifier)
def test_a_minimal_object_is_right(kind: Kind) -> None:
    tree = created(kind)
    findings = structure.check(kind.definition, tree)
    assert (findings.unknown, findings.causes) == ([], [])
    kind.default(tree)
    kind.prepare(tree, None)
    assert kind.validate(tree, None) == []


@pytest.mark.parametrize("kind", KINDS, ids=identifier)
def test_defaults_are_idempotent_and_hold_to_the_schema(kind: Kind) -> None:
    tree = created(kind)
    structure.check(kind.definition, tree)
    kind.default(tree)
    once = copied(tree)
    findings = structure.check(kind.definition, tree)
    assert (findings.unknown, findings.causes) == ([], [])
    kind.default(tree)
    assert tree == once


@pytest.mark.parametrize("kind", KINDS, ids=identifier)
def test_the_same_object_again_changes_nothing(kind: Kind) -> None:
    old = created(kind)
    kind.default(old)
    kind.prepare(old, None)
    new = copied(old)
    kind.default(new)
    kind.prepare(new, old)
    assert new == old
    assert kind.validate(new, old) == []


@pytest.mark.parametrize("kind", KINDS, ids=identifier)
def test_a_status_can_be_written_and_changes_nothing_else(kind: Kind) -> None:
    if kind.subresource("status") is None:
        pytest.skip("no status")
    old = created(kind)
    kind.default(old)
    kind.prepare(old, None)
    new = copied(old)
    new["spec"] = {}
    new["status"] = {"conditions": []}
    kind.strategy("status")(new, old)
    assert new["spec"] == old["spec"]
    assert new["status"] == {"conditions": []}
