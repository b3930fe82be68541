"""Which definitions of custom resources are refused, and in which words."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sampan.kubernetes.kinds.apiextensions.custom_resource_definitions import (
    CUSTOM_RESOURCE_DEFINITION,
)

Change = Callable[[dict[str, Any]], Any]


def definition(change: Change = lambda tree: None) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": {}}},
                }
            ],
        },
    }
    change(tree)
    CUSTOM_RESOURCE_DEFINITION.default(tree)
    return tree


def causes(change: Change, old: dict[str, Any] | None = None) -> dict[str, str]:
    tree = definition(change)
    CUSTOM_RESOURCE_DEFINITION.prepare(tree, old)
    found = CUSTOM_RESOURCE_DEFINITION.validate(tree, old)
    return {cause.field: cause.message for cause in found}


def put(path: str, value: Any) -> Change:
    """A change that puts a value at a dotted path below `spec`, of the first version for `v`."""

    def change(tree: dict[str, Any]) -> None:
        *steps, last = path.split(".")
        node = tree["spec"]
        for step in steps:
            node = node["versions"][0] if step == "v" else node.setdefault(step, {})
        node[last] = value

    return change


def test_a_definition_gets_its_defaults_and_stored_versions() -> None:
    tree = definition()
    CUSTOM_RESOURCE_DEFINITION.prepare(tree, None)
    assert CUSTOM_RESOURCE_DEFINITION.validate(tree, None) == []
    assert tree["spec"]["names"]["listKind"] == "WidgetList"
    assert tree["spec"]["names"]["singular"] == "widget"
    assert tree["spec"]["conversion"] == {"strategy": "None"}
    assert tree["status"]["storedVersions"] == ["v1"]


@pytest.mark.parametrize(
    ("path", "value", "field", "message"),
    [
        ("group", "other.com", "metadata.name", 'must be spec.names.plural+"."+spec.group'),
        ("group", "example", "spec.group", "should be a domain with at least one dot"),
        ("scope", "Everywhere", "spec.scope", 'supported values: "Cluster", "Namespaced"'),
        ("names.plural", "Widgets", "spec.names.plural", "DNS-1035 label"),
        ("names.kind", "wid get", "spec.names.kind", "may have mixed case"),
        ("names.listKind", "Widget", "spec.names.listKind", "may not be the same"),
        ("names.shortNames", ["A"], "spec.names.shortNames[0]", "DNS-1035 label"),
        ("versions", [], "spec.versions", "Required value"),
        ("v.storage", False, "spec.versions", "exactly one version marked as storage version"),
        ("v.name", "V1", "spec.versions[0].name", "DNS-1035 label"),
        (
            "v.deprecationWarning",
            "old",
            "spec.versions[0].deprecationWarning",
            "can only be set for deprecated versions",
        ),
        (
            "v.additionalPrinterColumns",
            [{"name": "A", "type": "text", "jsonPath": ".a"}],
            "spec.versions[0].additionalPrinterColumns[0].type",
            "must be one of boolean,date,integer,number,string",
        ),
        (
            "v.additionalPrinterColumns",
            [{"name": "A", "type": "string", "jsonPath": "a"}],
            "spec.versions[0].additionalPrinterColumns[0].jsonPath",
            "is an invalid jsonpath",
        ),
        (
            "v.subresources",
            {"scale": {"specReplicasPath": ".status.x", "statusReplicasPath": ".status.x"}},
            "spec.versions[0].subresources.scale.specReplicasPath",
            "should be a json path under .spec",
        ),
        (
            "v.selectableFields",
            [{"jsonPath": ".spec.missing"}],
            "spec.versions[0].selectableFields[0].jsonPath",
            "must point to a field of type string, boolean or integer",
        ),
        ("preserveUnknownFields", True, "spec.preserveUnknownFields", "cannot set to true"),
        ("conversion.strategy", "Magic", "spec.conversion.strategy", "Unsupported value"),
        (
            "conversion.strategy",
            "Webhook",
            "spec.conversion.webhook.clientConfig",
            "required when strategy is set to Webhook",
        ),
        (
            "v.schema",
            {},
            "spec.versions[0].schema.openAPIV3Schema",
            "schemas are required",
        ),
        (
            "v.schema.openAPIV3Schema",
            {"type": "object", "properties": {"a": {}}},
            "spec.validation.openAPIV3Schema.properties[a].type",
            "must not be empty for specified object fields",
        ),
    ],
)
def test_what_is_wrong_is_told(path: str, value: Any, field: str, message: str) -> None:
    found = causes(put(path, value))
    assert message in found[field], found


def test_groups_of_the_project_need_its_approval() -> None:
    def protected(tree: dict[str, Any]) -> None:
        tree["metadata"]["name"] = "widgets.new.k8s.io"
        tree["spec"]["group"] = "new.k8s.io"

    def approved(tree: dict[str, Any]) -> None:
        protected(tree)
        link = "https://github.com/kubernetes/kubernetes/pull/1"
        tree["metadata"]["annotations"] = {"api-approved.kubernetes.io": link}

    (field,) = {it for it in causes(protected) if it.startswith("metadata.annotations")}
    assert field == "metadata.annotations[api-approved.kubernetes.io]"
    assert causes(approved) == {}


def established() -> dict[str, Any]:
    tree = definition()
    CUSTOM_RESOURCE_DEFINITION.prepare(tree, None)
    tree["metadata"]["generation"] = 1
    tree["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(tree))
    return decoded


def test_what_is_served_keeps_its_names_and_scope() -> None:
    found = causes(put("scope", "Cluster"), established())
    assert found["spec.scope"] == 'Invalid value: "Cluster": field is immutable'
    found = causes(put("names.kind", "Other"), established())
    assert found["spec.names.kind"] == 'Invalid value: "Other": field is immutable'


def test_a_version_in_which_objects_may_lie_cannot_go() -> None:
    found = causes(put("v.name", "v2"), established())
    assert (
        "missing from spec.versions; v1 was previously a storage version"
        in (found["status.storedVersions[0]"])
    )


def test_a_schema_that_was_taken_is_not_judged_again() -> None:
    broken = {"type": "object", "properties": {"a": {}}}
    change = put("v.schema.openAPIV3Schema", broken)
    old = established()
    old["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = broken
    assert causes(change) != {}
    assert causes(change, old) == {}


def test_the_stored_version_stays_among_those_that_were_stored() -> None:
    tree = established()
    tree["status"]["storedVersions"] = []
    found = CUSTOM_RESOURCE_DEFINITION.validate(tree, established())
    assert [(it.field, it.message) for it in found] == [
        ("status.storedVersions", "Invalid value: []: must have the storage version v1")
    ]
