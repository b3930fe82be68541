"""What strict validation finds in objects of built-in kinds and of custom resources."""

import json
from collections.abc import Callable
from typing import Any

from tests.conformance.requests import APPLY, DEPLOYMENTS, deployment
from tests.control.api.conftest import Answer, Api
from tests.control.api.custom_resources.conftest import WIDGETS, define, definition, version, widget

STRICT = {"fieldValidation": "Strict"}
FREE = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
EMBEDDED = {
    "openAPIV3Schema": {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": {
                    "template": {
                        "type": "object",
                        "x-kubernetes-embedded-resource": True,
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        },
    }
}


async def apply(api: Api, path: str, body: Any, **parameters: Any) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await api.send("PATCH", path, content, headers=APPLY, fieldManager="me", **parameters)


def doubled(body: Any, text: str, twice: str) -> bytes:
    """JSON in which a part is written twice over."""
    content = json.dumps(body)
    assert content.count(text) == 1
    return content.replace(text, twice).encode()


def test_unknown_and_duplicate_fields_of_a_deployment(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        body = deployment()
        body["spec"]["unknown"] = "x"
        content = doubled(body, '"replicas": 1', '"replicas": 1, "replicas": 2')
        answer = await api.send("POST", DEPLOYMENTS, content, **STRICT)
        assert answer.code == 400
        assert 'unknown field "spec.unknown"' in answer["message"]
        assert 'duplicate field "spec.replicas"' in answer["message"]
        warned = await api.send("POST", DEPLOYMENTS, content, dryRun="All")
        assert warned.code == 201
        for told in ('unknown field \\"spec.unknown\\"', 'duplicate field \\"spec.replicas\\"'):
            assert told in warned.headers["Warning"]

    play(story)


def test_unknown_metadata_of_a_deployment(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        body = deployment()
        body["metadata"]["unknownMeta"] = "x"
        answer = await api.send("POST", DEPLOYMENTS, body, **STRICT)
        assert answer.code == 400
        assert 'unknown field "metadata.unknownMeta"' in answer["message"]
        answer = await apply(api, f"{DEPLOYMENTS}/web", body, **STRICT)
        assert answer.code in (400, 500)
        assert "metadata.unknownMeta" in answer["message"]

    play(story)


def test_a_valid_custom_resource_is_created_and_applied(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition())
        assert (await api.send("POST", WIDGETS, widget(), **STRICT)).code == 201
        assert (await apply(api, f"{WIDGETS}/b", widget("b"), **STRICT)).code == 201
        again = widget("b", size=2)
        assert (await apply(api, f"{WIDGETS}/b", again, **STRICT)).code == 200

    play(story)


def test_unknown_fields_of_a_custom_resource_without_a_schema(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition(version(schema=FREE)))
        body = {**widget(any={"thing": 1}), "other": [1, {"a": "b"}]}
        made = await api.send("POST", WIDGETS, body, **STRICT)
        assert (made.code, made["other"]) == (201, body["other"])
        body["metadata"] = {"name": "b"}
        made = await apply(api, f"{WIDGETS}/b", body, **STRICT)
        assert (made.code, made["other"]) == (201, body["other"])

    play(story)


def test_extra_properties_of_a_custom_resource_are_refused(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition())
        body = widget(size=1, extra="x")
        answer = await api.send("POST", WIDGETS, body, **STRICT)
        assert answer.code == 400
        assert 'unknown field "spec.extra"' in answer["message"]
        answer = await apply(api, f"{WIDGETS}/a", body, **STRICT)
        assert answer.code == 400
        assert ".spec.extra: field not declared in schema" in answer["message"]
        assert (await api.send("GET", f"{WIDGETS}/a")).code == 404

    play(story)


def test_duplicates_where_unknown_fields_are_preserved(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition(version(schema=FREE)))
        content = doubled(widget(any=1), '"any": 1', '"any": 1, "any": 2')
        answer = await api.send("POST", WIDGETS, content, **STRICT)
        assert answer.code == 400
        assert 'duplicate field "spec.any"' in answer["message"]
        head = b"apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: a\n"
        yaml = head + b"spec:\n  any: 1\n  any: 2\n"
        answer = await apply(api, f"{WIDGETS}/a", yaml, **STRICT)
        assert answer.code == 400
        assert 'line 7: key "any" already set in map' in answer["message"]

    play(story)


def test_unknown_metadata_at_the_root_and_of_what_is_embedded(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition(version(schema=EMBEDDED)))
        inner = {
            "apiVersion": "v1",
            "kind": "Thing",
            "metadata": {"name": "inner", "unknownSub": "x"},
        }
        body = widget(template=inner)
        body["metadata"]["unknownMeta"] = "x"
        answer = await api.send("POST", WIDGETS, body, **STRICT)
        assert answer.code == 400
        assert 'unknown field "metadata.unknownMeta"' in answer["message"]
        assert 'unknown field "spec.template.metadata.unknownSub"' in answer["message"]

    play(story)
