"""Server-side apply to custom resources: ownership by the schema that they bring."""

from typing import Any

from tests.control.api.custom_resources.conftest import (
    WIDGETS,
    define,
    definition,
    version,
    widget,
)

APPLY = {"content-type": "application/apply-patch+yaml"}
MERGE = {"content-type": "application/merge-patch+json"}
TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "rows": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": TEXT, "value": TEXT},
                    },
                },
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": TEXT},
                "whole": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "additionalProperties": TEXT,
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {"type": "object", "properties": {"now": {"type": "integer"}}},
    },
}
SUBRESOURCES = {
    "status": {},
    "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.now"},
}


async def serve(api, schema=SCHEMA):
    form = {"openAPIV3Schema": schema}
    await define(api, definition(version(schema=form, subresources=SUBRESOURCES)))


async def apply(api, body, manager="one", path=f"{WIDGETS}/a", **parameters):
    return await api.send("PATCH", path, body, headers=APPLY, fieldManager=manager, **parameters)


def owned(tree, manager):
    (found,) = [it for it in tree["metadata"]["managedFields"] if it["manager"] == manager]
    return found["fieldsV1"]


def test_fields_are_owned_by_the_schema_of_the_definition(play):
    async def story(api):
        await serve(api)
        spec = {
            "size": 2,
            "rows": [{"name": "x", "value": "1"}],
            "tags": ["p"],
            "whole": {"k": "v"},
            "free": {"deep": {"a": 1}, "list": [1]},
        }
        made = await apply(api, widget(**spec))
        assert made.code == 201
        assert owned(made.json, "one") == {
            "f:spec": {
                "f:free": {"f:deep": {".": {}, "f:a": {}}, "f:list": {}},
                "f:rows": {'k:{"name":"x"}': {".": {}, "f:name": {}, "f:value": {}}},
                "f:size": {},
                "f:tags": {'v:"p"': {}},
                "f:whole": {},
            }
        }
        other = await apply(api, widget(rows=[{"name": "y"}], tags=["q"]), "two")
        assert [it["name"] for it in other["spec"]["rows"]] == ["x", "y"]
        assert other["spec"]["tags"] == ["p", "q"]
        refused = await apply(api, widget(whole={"k": "w"}), "two")
        assert refused["message"] == (
            'Apply failed with 1 conflict: conflict with "one": .spec.whole'
        )
        unknown = await apply(api, widget(sise=1))
        assert unknown["message"] == (
            "failed to create typed patch object (/a; example.com/v1, Kind=Widget): "
            ".spec.sise: field not declared in schema"
        )

    play(story)


def test_what_an_update_creates_is_owned_with_the_objects_round_it(play):
    async def story(api):
        await serve(api)
        made = await api.create(WIDGETS, widget(size=1), fieldManager="me")
        assert owned(made, "me") == {"f:spec": {".": {}, "f:size": {}}}

    play(story)


def test_scales_are_owned_by_the_path_of_the_definition(play):
    async def story(api):
        await serve(api)
        await apply(api, widget(size=1))
        patch = {"spec": {"replicas": 4}}
        path = f"{WIDGETS}/a/scale"
        answer = await api.send("PATCH", path, patch, headers=MERGE, fieldManager="scaler")
        assert answer["spec"] == {"replicas": 4}
        tree = (await api.send("GET", f"{WIDGETS}/a")).json
        assert tree["spec"]["size"] == 4
        assert owned(tree, "scaler") == {"f:spec": {"f:size": {}}}
        refused = await apply(api, widget(size=1))
        assert (
            '"scaler" with subresource "scale" using example.com/v1: .spec.size'
            in (refused["message"])
        )

    play(story)


def test_status_is_owned_apart(play):
    async def story(api):
        await serve(api)
        await apply(api, widget(size=1))
        body = widget(size=9) | {"status": {"now": 3}}
        answer = await apply(api, body, "two", f"{WIDGETS}/a/status")
        assert (answer["spec"], answer["status"]) == ({"size": 1}, {"now": 3})
        assert owned(answer.json, "two") == {"f:status": {"f:now": {}}}

    play(story)
