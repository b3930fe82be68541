"""Definitions of custom resources that are a little wrong, and objects of those that are taken."""

from random import Random
from typing import Any

from hypothesis import given, settings
from tests.fuzz.drawn_trees import randoms, spoiled
from tests.fuzz.fuzzed_server import FuzzedServer

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SCHEMA = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "x-kubernetes-validations": [
                {"rule": "self.low <= self.high", "message": "low is above high"},
                {"rule": "self.name == oldSelf.name", "reason": "FieldValueForbidden"},
            ],
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z]*$", "maxLength": 10},
                "low": {"type": "integer", "default": 1, "minimum": 0},
                "high": {"type": "integer", "default": 5, "format": "int32"},
                "port": {"x-kubernetes-int-or-string": True},
                "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "items": {
                    "type": "array",
                    "maxItems": 5,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["key"],
                    "items": {
                        "type": "object",
                        "required": ["key"],
                        "properties": {"key": {"type": "string"}, "at": {"type": "string"}},
                    },
                },
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "kind": {"type": "string", "enum": ["a", "b"], "nullable": True},
            },
            "oneOf": [{"required": ["name"]}, {"required": ["port"]}],
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
WIDGET = {
    "apiVersion": "fuzz.example.com/v1",
    "kind": "Widget",
    "metadata": {"name": "one"},
    "spec": {"name": "abc", "any": {"x": [1]}, "items": [{"key": "a"}], "labels": {"a": "b"}},
    "status": {"replicas": 1},
}


def definition() -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.fuzz.example.com"},
        "spec": {
            "group": "fuzz.example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": SCHEMA},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.low",
                            "statusReplicasPath": ".status.replicas",
                        },
                    },
                    "additionalPrinterColumns": [
                        {"name": "Low", "type": "integer", "jsonPath": ".spec.low"}
                    ],
                    "selectableFields": [{"jsonPath": ".spec.name"}],
                }
            ],
        },
    }


@settings.get_profile("fuzz-slowly")
@given(randoms)
def test_no_definition_is_too_much(patient_server: FuzzedServer, random: Random) -> None:
    server = patient_server
    body = spoiled(definition(), random, random.choice((0, 1, 1, 2, 3)))
    made = server.send("POST", DEFINITIONS, body)
    made.check()
    if made.code == 201:
        _live(server, body, random)


def _live(server: FuzzedServer, body: dict[str, Any], random: Random) -> None:
    """A few objects of a definition, before it goes again."""
    spec, name = body["spec"], body["metadata"]["name"]
    scope = "" if spec["scope"] == "Cluster" else "/namespaces/default"
    for version in spec["versions"]:
        path = f"/apis/{spec['group']}/{version['name']}{scope}/{spec['names']['plural']}"
        for _ in range(3):
            widget = spoiled(WIDGET, random, random.choice((0, 1, 2)))
            server.send("POST", path, widget).check()
            server.send("PUT", f"{path}/one", spoiled(WIDGET, random, 1)).check()
            server.send("GET", f"{path}/one/scale").check()
        server.send("GET", path).check()
        server.send("DELETE", path).check()
    server.send("GET", f"/openapi/v3/apis/{spec['group']}/{spec['versions'][0]['name']}").check()
    changed = spoiled(body, random, 1)
    server.send("PUT", f"{DEFINITIONS}/{name}", changed).check()
    server.send("DELETE", f"{DEFINITIONS}/{name}").check()
    assert server.send("GET", f"{DEFINITIONS}/{name}").code in (200, 404)
