"""From a definition to a resource that is served, and back to nothing."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.control.api.conftest import Api
from tests.control.api.custom_resources.conftest import (
    DEFINITIONS,
    WIDGETS,
    conditions,
    define,
    definition,
    is_established,
    until,
    version,
    widget,
)

from sampan.store.contract import Store
from sampan.store.memory import MemoryStore

NAME = "widgets.example.com"
PATH = f"{DEFINITIONS}/{NAME}"


def test_a_definition_is_accepted_and_served(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        assert (await api.send("GET", WIDGETS)).code == 404
        made = await define(api, definition())
        assert made["status"]["storedVersions"] == ["v1"]
        assert made["status"]["acceptedNames"] == {
            "plural": "widgets",
            "singular": "widget",
            "kind": "Widget",
            "listKind": "WidgetList",
        }
        assert conditions(made)["NamesAccepted"] == ("True", "NoConflicts")
        await api.create(WIDGETS, widget())
        listed = await api.send("GET", WIDGETS)
        assert [it["spec"] for it in listed["items"]] == [{"size": 1, "color": "red"}]
        assert listed["kind"] == "WidgetList"

    play(story)


def test_it_is_told_in_discovery_and_openapi_at_once(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        before = (await api.send("GET", "/openapi/v3"))["paths"]
        assert "apis/example.com/v1" not in before
        names = {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"], "categories": ["all"]}
        await define(api, definition(names=names))
        resources = (await api.send("GET", "/apis/example.com/v1"))["resources"]
        assert (resources[0]["name"], resources[0]["shortNames"]) == ("widgets", ["wd"])
        address = (await api.send("GET", "/openapi/v3"))["paths"]["apis/example.com/v1"]
        document = await api.send("GET", address["serverRelativeURL"])
        assert document.headers["Cache-Control"] == "public, immutable"
        shown = document["components"]["schemas"]["com.example.v1.Widget"]
        assert shown["properties"]["spec"]["required"] == ["size"]
        moved = await api.send("GET", "/openapi/v3/apis/example.com/v1?hash=0")
        assert (moved.code, moved.headers["Location"]) == (301, address["serverRelativeURL"])
        second = await api.send("GET", "/openapi/v2")
        assert "com.example.v1.WidgetList" in second["definitions"]

    play(story, in_real_time=True)


def test_names_that_another_has_are_not_taken(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition())
        names = {"plural": "gadgets", "kind": "Widget", "shortNames": ["gd"]}
        await api.create(DEFINITIONS, definition(plural="gadgets", names=names))
        path = f"{DEFINITIONS}/gadgets.example.com"
        tree = await until(api, path, lambda it: bool(conditions(it)))
        assert conditions(tree)["NamesAccepted"] == ("False", "ListKindConflict")
        assert conditions(tree)["Established"] == ("False", "NotAccepted")
        assert (await api.send("GET", WIDGETS.replace("widgets", "gadgets"))).code == 404
        await api.send("DELETE", PATH)
        freed = await until(api, path, is_established)
        assert freed["status"]["acceptedNames"]["kind"] == "Widget"

    play(story)


def test_deleting_a_definition_deletes_its_objects(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition())
        await api.create(WIDGETS, widget("free"))
        held = widget("held")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await api.create(WIDGETS, held)
        await api.send("DELETE", PATH)
        tree = await until(api, f"{WIDGETS}/free", lambda it: it is None)
        tree = (await api.send("GET", PATH)).json
        assert conditions(tree)["Terminating"] == ("True", "InstanceDeletionPending")
        assert (await api.send("POST", WIDGETS, widget("late"))).code == 405
        patch = {"metadata": {"finalizers": None}}
        kind = {"content-type": "application/merge-patch+json"}
        await api.send("PATCH", f"{WIDGETS}/held", patch, headers=kind)
        await until(api, PATH, lambda it: it is None)
        assert (await api.send("GET", WIDGETS)).code == 404
        await define(api, definition())
        assert (await api.send("GET", WIDGETS))["items"] == []

    play(story)


def test_a_watch_of_a_resource_that_goes_ends(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, definition())
        response = await api.open("GET", WIDGETS, watch="true")
        stream: Any = response.body
        following = asyncio.create_task(anext(stream, None))
        await asyncio.sleep(0)
        await api.send("DELETE", PATH)
        assert await asyncio.wait_for(following, 5) is None
        await stream.aclose()

    play(story)


def test_a_new_schema_holds_from_then_on(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        made = await define(api, definition())
        await api.create(WIDGETS, widget(size=3))
        made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"][
            "properties"
        ]["weight"] = {"type": "integer", "default": 7}
        assert (await api.send("PUT", PATH, made)).code == 200
        shown = await until(
            api, f"{WIDGETS}/a", lambda it: it is not None and "weight" in it["spec"]
        )
        assert shown["spec"] == {"size": 3, "color": "red", "weight": 7}

    play(story)


def test_a_version_can_be_taken_out_of_service(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        made = await define(api, definition(version(), version("v2", storage=False)))
        path = WIDGETS.replace("v1", "v2")
        assert (await api.send("GET", path)).code == 200
        made["spec"]["versions"][1]["served"] = False
        await api.send("PUT", PATH, made)
        await until(api, path, lambda it: it is None)
        group = await api.send("GET", "/apis/example.com")
        assert [it["version"] for it in group["versions"]] == ["v1"]

    play(story)


def test_objects_are_served_after_a_restart(play_sequence: Callable[..., None]) -> None:
    async def story(restart: Callable[[], Any], _store: Store) -> None:
        api = await restart()
        await define(api, definition())
        await api.create(WIDGETS, widget())
        api = await restart()
        assert (await api.send("GET", f"{WIDGETS}/a"))["spec"] == {"size": 1, "color": "red"}

    play_sequence(story, MemoryStore())


def test_fifty_definitions_at_once(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        trees = [definition(plural=f"things{number}s") for number in range(50)]
        await asyncio.gather(*(api.create(DEFINITIONS, tree) for tree in trees))
        for tree in trees:
            path = f"{DEFINITIONS}/{tree['metadata']['name']}"
            await until(api, path, is_established)

    play(story)


def test_each_group_and_version_has_an_api_service(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        services = "/apis/apiregistration.k8s.io/v1/apiservices"
        await define(api, definition(version(), version("v2", storage=False)))
        for name in ("v1.example.com", "v2.example.com"):
            made = await until(api, f"{services}/{name}", lambda it: it is not None)
            assert conditions(made)["Available"] == ("True", "Local")
        await api.send("DELETE", PATH)
        await until(api, f"{services}/v1.example.com", lambda it: it is None)
        assert (await api.send("GET", f"{services}/v1.apps")).code == 200

    play(story)


def test_a_resource_is_served_throughout_a_change_of_its_definition(
    play: Callable[..., None],
) -> None:
    async def story(api: Api) -> None:
        made = await define(api, definition())
        await api.create(WIDGETS, widget())
        codes: list[int] = []

        async def ask() -> None:
            while True:
                codes.append((await api.send("GET", f"{WIDGETS}/a")).code)
                await asyncio.sleep(0)

        asking = asyncio.create_task(ask())
        for default in range(5):
            properties = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
            properties["spec"]["properties"]["weight"] = {"type": "integer", "default": default}
            made = (await api.send("PUT", PATH, made)).json
            await until(
                api, f"{WIDGETS}/a", lambda it, wanted=default: it["spec"].get("weight") == wanted
            )
        asking.cancel()
        assert set(codes) == {200}

    play(story)
