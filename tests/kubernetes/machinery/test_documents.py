"""Tables, Status objects, discovery and OpenAPI: the documents that clients read."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sampan.kubernetes.kinds.all import ALL, BY_RESOURCE
from sampan.kubernetes.kinds.kind import Cause
from sampan.kubernetes.kinds.resource import DEPLOYMENTS, PODS
from sampan.kubernetes.machinery import discovery, openapi, status, table

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def test_a_table_of_pods() -> None:
    kind = BY_RESOURCE[PODS]
    pod = {"metadata": {"name": "a", "creationTimestamp": "2026-01-01T11:59:00Z"}, "spec": {}}
    shown = table.table(kind, [table.row(kind, pod, NOW)], metadata={"resourceVersion": "5"})
    assert (shown["kind"], shown["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [it["name"] for it in shown["columnDefinitions"]][:3] == ["Name", "Ready", "Status"]
    (row,) = shown["rows"]
    assert row["cells"][0] == "a"
    assert len(row["cells"]) == len(shown["columnDefinitions"])
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert "object" not in table.row(kind, pod, NOW, "None")
    assert table.row(kind, pod, NOW, "Object")["object"] is pod


@pytest.mark.parametrize(
    ("given", "code", "reason", "message"),
    [
        (status.not_found(PODS, "x"), 404, "NotFound", 'pods "x" not found'),
        (status.not_found(DEPLOYMENTS, "x"), 404, "NotFound", 'deployments.apps "x" not found'),
        (status.already_exists(PODS, "x"), 409, "AlreadyExists", 'pods "x" already exists'),
        (
            status.conflict(PODS, "x"),
            409,
            "Conflict",
            'Operation cannot be fulfilled on pods "x": the object has been '
            "modified; please apply your changes to the latest version and try again",
        ),
        (
            status.forbidden(
                PODS, "", status.forbidden_explanation("u", "list", PODS, "", "default")
            ),
            403,
            "Forbidden",
            'pods is forbidden: User "u" cannot list resource "pods" in API group "" '
            'in the namespace "default"',
        ),
        (
            status.invalid(
                "", "Pod", "x", [Cause("spec.containers", "FieldValueRequired", "Required value")]
            ),
            422,
            "Invalid",
            'Pod "x" is invalid: spec.containers: Required value',
        ),
        (
            status.strict_decoding("apps/v1", "Deployment", [status.unknown_field("spec.foo")]),
            400,
            "BadRequest",
            'Deployment in version "v1" cannot be handled as a Deployment: '
            'strict decoding error: unknown field "spec.foo"',
        ),
        (status.too_old(3, 9), 410, "Expired", "too old resource version: 3 (9)"),
    ],
)
def test_the_words_of_errors(given: dict[str, Any], code: int, reason: str, message: str) -> None:
    assert (given["kind"], given["status"]) == ("Status", "Failure")
    assert (given["code"], given["reason"], given["message"]) == (code, reason, message)


def test_several_causes_are_listed_once_each() -> None:
    causes = [Cause("a", "FieldValueRequired", "Required value"), Cause("b", "X", "y")]
    given = status.invalid("apps", "Deployment", "x", [*causes, causes[0]])
    assert given["message"] == 'Deployment.apps "x" is invalid: [a: Required value, b: y]'
    assert [it["field"] for it in given["details"]["causes"]] == ["a", "b"]


def test_both_forms_of_discovery_tell_the_same() -> None:
    aggregated: set[tuple[str, str, str]] = set()
    for core in (True, False):
        for group in discovery.aggregated(ALL, core=core)["items"]:
            name = group["metadata"].get("name", "")
            for version in group["versions"]:
                for it in version["resources"]:
                    aggregated.add((name, version["version"], it["resource"]))
    listed = set()
    groups = [("", "v1")] + [
        (group["name"], version["version"])
        for group in discovery.group_list(ALL)["groups"]
        for version in group["versions"]
    ]
    for name, version in groups:
        document = discovery.resource_list(ALL, name, version)
        assert document is not None
        listed |= {
            (name, version, it["name"]) for it in document["resources"] if "/" not in it["name"]
        }
    assert (
        aggregated
        == listed
        == {(kind.resource.group, kind.resource.version, kind.resource.plural) for kind in ALL}
    )


def test_what_is_not_served_has_no_document() -> None:
    assert discovery.resource_list(ALL, "example.com", "v1") is None
    assert discovery.group(ALL, "example.com") is None
    assert openapi.version_3(ALL, "apis/example.com/v1") is None


def test_a_scale_is_of_its_own_group() -> None:
    document = discovery.resource_list(ALL, "apps", "v1")
    assert document is not None
    scale = next(it for it in document["resources"] if it["name"] == "deployments/scale")
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_references(it) for it in value.values()))
    return set().union(*(_references(it) for it in value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("name", openapi.document_names(ALL))
def test_a_document_stands_alone(name: str) -> None:
    document = openapi.version_3(ALL, name)
    assert document is not None
    document = msgspec.json.decode(msgspec.json.encode(document))
    known = {f"#/components/schemas/{it}" for it in document["components"]["schemas"]}
    assert _references(document["paths"]) | _references(document["components"]) <= known
    identifiers = [
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
    ]
    assert len(identifiers) == len(set(identifiers))


def test_kubectl_finds_the_parameters_that_it_looks_for() -> None:
    document = openapi.version_3(ALL, "apis/apps/v1")
    assert document is not None
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert {"fieldValidation", "dryRun"} <= {it["name"] for it in patch["parameters"]}
    assert patch["x-kubernetes-group-version-kind"] == {
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
    }


def test_types_without_a_word_in_json_schema() -> None:
    document = openapi.version_3(ALL, "api/v1")
    assert document is not None
    schemas = document["components"]["schemas"]
    assert schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["format"] == "int-or-string"
    container = schemas["io.k8s.api.core.v1.Container"]
    assert container["required"] == ["name"]
    assert container["properties"]["ports"]["x-kubernetes-patch-merge-key"] == "containerPort"
    volumes = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["volumes"]
    assert volumes["x-kubernetes-patch-strategy"] == "merge,retainKeys"
    assert container["properties"]["image"]["description"].startswith("Container image name")


def test_the_index_leads_to_the_documents() -> None:
    paths = openapi.index(ALL)["paths"]
    assert set(paths) == set(openapi.document_names(ALL))
    assert paths["api/v1"]["serverRelativeURL"].startswith("/openapi/v3/api/v1?hash=")


def test_version_2_is_one_document() -> None:
    document = msgspec.json.decode(msgspec.json.encode(openapi.version_2(ALL)))
    known = {f"#/definitions/{it}" for it in document["definitions"]}
    assert _references(document) <= known
