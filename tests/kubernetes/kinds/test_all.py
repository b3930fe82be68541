"""What holds for every kind's record."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.kubernetes.kinds.all import ALL, BY_RESOURCE
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.schema import definitions

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
STORED = [kind for kind in ALL if kind.stored]


def _identifier(kind: Kind) -> str:
    return kind.resource.kind


@pytest.mark.parametrize("kind", ALL, ids=_identifier)
def test_the_definition_is_that_of_the_kind(kind: Kind) -> None:
    resource = kind.resource
    assert (resource.group, resource.version, resource.kind) in definitions.definition(
        kind.definition
    ).kinds


def test_every_kind_is_found_by_its_names() -> None:
    paths = {(it.resource.group, it.resource.version, it.resource.plural) for it in ALL}
    assert len(paths) == len(BY_RESOURCE) == len(ALL)


def test_short_names_are_unique() -> None:
    names = [name for kind in ALL if kind.stored_as is None for name in kind.short_names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", STORED, ids=_identifier)
def test_the_first_column_is_the_name_and_an_empty_object_has_cells(kind: Kind) -> None:
    tree: dict[str, Any] = {"metadata": {"name": "a"}}
    cells = {column.name: column.cell(tree, NOW) for column in kind.columns}
    assert cells["Name"] == "a"
    assert next(column.name for column in kind.columns if column.format == "name") == "Name"


@pytest.mark.parametrize("kind", STORED, ids=_identifier)
def test_an_empty_object_is_refused_in_words(kind: Kind) -> None:
    tree: dict[str, Any] = {"kind": kind.resource.kind, "metadata": {}}
    kind.default(tree)
    kind.prepare(tree, None)
    causes = {cause.field: cause.message for cause in kind.validate(tree, None)}
    assert causes["metadata.name"] == "Required value: name or generateName is required"
    assert ("metadata.namespace" in causes) is kind.resource.namespaced


@pytest.mark.parametrize("kind", STORED, ids=_identifier)
def test_defaults_are_set_once(kind: Kind) -> None:
    tree: dict[str, Any] = {"metadata": {"name": "a"}}
    kind.default(tree)
    once = repr(tree)
    kind.default(tree)
    assert repr(tree) == once


@pytest.mark.parametrize("kind", STORED, ids=_identifier)
def test_names_can_be_selected(kind: Kind) -> None:
    fields = kind.selectable({"metadata": {"name": "a", "namespace": "b"}})
    assert fields["metadata.name"] == "a"
    assert fields.get("metadata.namespace") == ("b" if kind.resource.namespaced else None)
    assert all(isinstance(value, str) for value in fields.values())


def test_columns_are_those_that_users_know() -> None:
    expected = {
        "Pod": "Name Ready Status Restarts Age IP Node Nominated-Node Readiness-Gates",
        "Service": "Name Type Cluster-IP External-IP Port(s) Age Selector",
        "Node": "Name Status Roles Age Version Internal-IP External-IP OS-Image Kernel-Version "
        "Container-Runtime",
        "Deployment": "Name Ready Up-to-date Available Age Containers Images Selector",
        "ReplicaSet": "Name Desired Current Ready Age Containers Images Selector",
        "Event": "Last-Seen Type Reason Object Subobject Source Message First-Seen Count Name",
        "RoleBinding": "Name Role Age Users Groups ServiceAccounts",
        "EndpointSlice": "Name AddressType Ports Endpoints Age",
        "Secret": "Name Type Data Age",
        "Lease": "Name Holder Age",
    }
    found = {
        kind.resource.kind: " ".join(column.name.replace(" ", "-") for column in kind.columns)
        for kind in ALL
        if kind.resource.kind in expected
    }
    assert found == expected
