"""Definitions of custom resources: their own operations, defaults, selectors, what is published."""

from collections.abc import Callable
from typing import Any

from tests.conformance.requests import (
    DEFINITIONS,
    Object,
    deleted,
    names,
    patched,
    read,
    until,
    updated,
    watch,
)
from tests.control.api.conftest import Api
from tests.control.api.custom_resources.conftest import (
    WIDGETS,
    define,
    definition,
    is_established,
    version,
    widget,
)

NAME = "widgets.example.com"
PATH = f"{DEFINITIONS}/{NAME}"
FREE = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}


def schema(**properties: Any) -> Object:
    spec = {"type": "object", "properties": properties}
    return {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}


def test_definitions_are_created_and_deleted(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition())
        await deleted(api, PATH)
        await until(api, PATH, lambda it: it is None)

    play(story)


def test_definitions_are_listed_and_deleted_by_selector(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        for plural in ("widgets", "gadgets", "gizmos"):
            tree = definition(plural=plural)
            tree["metadata"]["labels"] = {"of": "test"}
            await define(api, tree)
        listed = await read(api, DEFINITIONS, labelSelector="of=test")
        assert len(listed["items"]) == 3
        await deleted(api, DEFINITIONS, labelSelector="of=test")
        await until(api, DEFINITIONS, lambda it: not it["items"])

    play(story)


def test_a_definitions_status_is_read_updated_and_patched(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition())
        tree = await read(api, f"{PATH}/status")
        added = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "set"}
        tree["status"]["conditions"].append(added)
        shown = await updated(api, f"{PATH}/status", tree)
        assert "StatusUpdate" in [it["type"] for it in shown["status"]["conditions"]]
        change = {
            "status": {
                "conditions": [
                    *shown["status"]["conditions"][:-1],
                    {**added, "type": "StatusPatched"},
                ]
            }
        }
        shown = await patched(api, f"{PATH}/status", change)
        assert "StatusPatched" in [it["type"] for it in shown["status"]["conditions"]]
        assert is_established(shown)

    play(story)


def test_custom_resources_are_watched(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition())
        stream = await watch(api, WIDGETS)
        for name in ("a", "b"):
            await api.create(WIDGETS, widget(name))
            await patched(api, f"{WIDGETS}/{name}", {"spec": {"size": 9}})
        assert await stream.told(4) == [
            ("ADDED", "a"),
            ("MODIFIED", "a"),
            ("ADDED", "b"),
            ("MODIFIED", "b"),
        ]
        await deleted(api, f"{WIDGETS}/a")
        assert await stream.told(1) == [("DELETED", "a")]

    play(story)


def test_defaults_are_filled_in_requests_and_from_storage(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition(version(schema=schema(a={"type": "string"}))))
        await api.create(WIDGETS, widget(a="given"))
        tree = await read(api, PATH)
        properties = {
            "a": {"type": "string", "default": "A"},
            "b": {"type": "string", "default": "B"},
        }
        tree["spec"]["versions"][0]["schema"] = schema(**properties)
        await updated(api, PATH, tree)
        shown = await until(api, f"{WIDGETS}/a", lambda it: "b" in it["spec"])
        assert shown["spec"] == {"a": "given", "b": "B"}
        made = await api.create(WIDGETS, widget("new", b="given"))
        assert made["spec"] == {"a": "A", "b": "given"}
        del tree["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"][
            "properties"
        ]["b"]["default"]
        tree["metadata"]["resourceVersion"] = (await read(api, PATH))["metadata"]["resourceVersion"]
        await updated(api, PATH, tree)
        # What came from a default and was never written goes with it; what was written stays.
        shown = await until(api, f"{WIDGETS}/a", lambda it: "b" not in it["spec"])
        assert (await read(api, f"{WIDGETS}/new"))["spec"] == {"a": "A", "b": "given"}

    play(story)


def test_custom_resources_are_selected_by_their_fields(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        properties = schema(color={"type": "string"}, size={"type": "integer"})
        fields = [{"jsonPath": ".spec.color"}, {"jsonPath": ".spec.size"}]
        first = version(schema=properties, selectableFields=fields)
        second = version("v2", storage=False, schema=properties, selectableFields=fields[:1])
        await define(api, definition(first, second))
        for name, color, size in (("a", "red", 1), ("b", "blue", 1), ("c", "red", 2)):
            await api.create(WIDGETS, widget(name, color=color, size=size))
        assert names(await read(api, WIDGETS, fieldSelector="spec.color=red")) == ["a", "c"]
        both = await read(api, WIDGETS, fieldSelector="spec.color=red,spec.size=2")
        assert names(both) == ["c"]
        newer = WIDGETS.replace("v1", "v2")
        assert names(await read(api, newer, fieldSelector="spec.color!=red")) == ["b"]
        assert (await api.send("GET", newer, fieldSelector="spec.size=2")).code == 400
        stream = await watch(api, WIDGETS, fieldSelector="spec.color=blue")
        assert await stream.told(1) == [("ADDED", "b")]
        await patched(api, f"{WIDGETS}/a", {"spec": {"color": "blue"}})
        await patched(api, f"{WIDGETS}/b", {"spec": {"color": "red"}})
        await deleted(api, f"{WIDGETS}/a")
        assert await stream.told(3) == [("ADDED", "a"), ("DELETED", "b"), ("DELETED", "a")]
        await deleted(api, WIDGETS, fieldSelector="spec.color=red")
        assert names(await read(api, WIDGETS)) == []

    play(story)


async def published(api: Api) -> dict[str, Any]:
    """The definitions of custom resources in OpenAPI v2."""
    document = await read(api, "/openapi/v2")
    return {
        name: shown
        for name, shown in document["definitions"].items()
        if name.startswith("com.example")
    }


def test_a_schema_is_published(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        described = schema(size={"type": "integer", "description": "how large"})
        described["openAPIV3Schema"]["description"] = "a thing"
        await define(api, definition(version(schema=described)))
        shown = (await published(api))["com.example.v1.Widget"]
        assert shown["description"] == "a thing"
        spec = shown["properties"]["spec"]
        assert spec["properties"]["size"] == {"type": "integer", "description": "how large"}
        assert {"apiVersion", "kind", "metadata"} <= shown["properties"].keys()
        assert shown["x-kubernetes-group-version-kind"] == [
            {"group": "example.com", "version": "v1", "kind": "Widget"}
        ]

    play(story, in_real_time=True)


def test_without_a_schema_anything_is_told_to_be_taken(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition(version(schema=FREE)))
        shown = (await published(api))["com.example.v1.Widget"]
        assert shown["type"] == "object"
        made = await api.create(WIDGETS, widget(any={"thing": [1]}), fieldValidation="Strict")
        assert made["spec"] == {"any": {"thing": [1]}}

    play(story, in_real_time=True)


def test_what_is_preserved_at_the_root_is_published_so(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        root = {**FREE["openAPIV3Schema"], "properties": {"spec": {"type": "object"}}}
        await define(api, definition(version(schema={"openAPIV3Schema": root})))
        shown = (await published(api))["com.example.v1.Widget"]
        assert shown["x-kubernetes-preserve-unknown-fields"] is True
        body = {**widget(), "anything": {"goes": True}}
        assert (await api.create(WIDGETS, body))["anything"] == {"goes": True}

    play(story, in_real_time=True)


def test_what_is_preserved_inside_is_published_so(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        open_object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        await define(api, definition(version(schema=schema(inner=open_object))))
        shown = (await published(api))["com.example.v1.Widget"]
        assert shown["properties"]["spec"]["properties"]["inner"] == open_object
        made = await api.create(WIDGETS, widget(inner={"anything": 1}, other=2))
        assert made["spec"] == {"inner": {"anything": 1}}

    play(story, in_real_time=True)


def test_groups_are_published_side_by_side(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition())
        other = definition()
        other["metadata"]["name"] = "widgets.other.example.com"
        other["spec"]["group"] = "other.example.com"
        await define(api, other)
        assert {"com.example.v1.Widget", "com.example.other.v1.Widget"} <= (
            await published(api)
        ).keys()

    play(story, in_real_time=True)


def test_versions_are_published_side_by_side(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition(version(), version("v2", storage=False)))
        assert {"com.example.v1.Widget", "com.example.v2.Widget"} <= (await published(api)).keys()

    play(story, in_real_time=True)


def test_kinds_of_one_group_are_published_side_by_side(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition())
        await define(api, definition(plural="gadgets"))
        assert {"com.example.v1.Widget", "com.example.v1.Gadget"} <= (await published(api)).keys()

    play(story, in_real_time=True)


def test_a_version_that_is_renamed_is_published_anew(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        tree = await define(api, definition(version(), version("v2", storage=False)))
        before = await published(api)
        tree["spec"]["versions"][1]["name"] = "v3"
        await updated(api, PATH, tree)
        after = await published(api)
        assert "com.example.v2.Widget" not in after
        assert (
            after["com.example.v3.Widget"]["properties"]
            == before["com.example.v2.Widget"]["properties"]
        )
        assert after["com.example.v1.Widget"] == before["com.example.v1.Widget"]

    play(story, in_real_time=True)


def test_a_version_out_of_service_is_published_no_more(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        tree = await define(api, definition(version(), version("v2", storage=False)))
        before = await published(api)
        tree["spec"]["versions"][1]["served"] = False
        await updated(api, PATH, tree)
        after = await published(api)
        assert "com.example.v2.Widget" not in after
        assert after["com.example.v1.Widget"] == before["com.example.v1.Widget"]

    play(story, in_real_time=True)


def test_definitions_are_told_of_in_discovery(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        groups = (await read(api, "/apis"))["groups"]
        (group,) = [it for it in groups if it["name"] == "apiextensions.k8s.io"]
        assert {"groupVersion": "apiextensions.k8s.io/v1", "version": "v1"} in group["versions"]
        known = (await read(api, "/apis/apiextensions.k8s.io/v1"))["resources"]
        assert "customresourcedefinitions" in [it["name"] for it in known]

    play(story)
