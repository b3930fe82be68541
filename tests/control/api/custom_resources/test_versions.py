"""One resource in several versions: the same objects, each in the form that was asked for."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from tests.control.api.conftest import Api
from tests.control.api.custom_resources.conftest import (
    DEFINITIONS,
    OLD_WIDGETS,
    WIDGETS,
    define,
    definition,
    until,
    version,
    widget,
)

MERGE = {"content-type": "application/merge-patch+json"}
LOOSE = {
    "openAPIV3Schema": {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
}


def two_versions() -> dict[str, Any]:
    return definition(version(), version("v1beta1", storage=False, schema=LOOSE, deprecated=True))


def test_every_verb_works_in_every_version(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, two_versions())
        made = await api.create(OLD_WIDGETS, widget(version="v1beta1", size=2))
        assert made["apiVersion"] == "example.com/v1beta1"
        shown = (await api.send("GET", f"{WIDGETS}/a")).json
        assert (shown["apiVersion"], shown["spec"]["size"]) == ("example.com/v1", 2)
        assert shown["metadata"]["uid"] == made["metadata"]["uid"]
        assert shown["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        patched = await api.send("PATCH", f"{OLD_WIDGETS}/a", {"spec": {"size": 5}}, headers=MERGE)
        assert (patched["apiVersion"], patched["spec"]["size"]) == ("example.com/v1beta1", 5)
        listed = await api.send("GET", OLD_WIDGETS)
        assert [it["apiVersion"] for it in listed["items"]] == ["example.com/v1beta1"]
        assert listed["kind"] == "WidgetList"
        whole = listed["items"][0]
        whole["spec"]["size"] = 6
        assert (await api.send("PUT", f"{OLD_WIDGETS}/a", whole))["spec"]["size"] == 6
        assert (await api.send("GET", f"{WIDGETS}/a"))["spec"]["size"] == 6
        assert (await api.send("DELETE", f"{OLD_WIDGETS}/a")).code == 200
        assert (await api.send("GET", f"{WIDGETS}/a")).code == 404
        assert (await api.send("GET", OLD_WIDGETS))["items"] == []

    play(story)


def test_the_stored_version_judges_what_it_gets(play: Callable[..., None]) -> None:
    """Fields that the stored schema doesn't know are lost on the way there."""

    async def story(api: Api) -> None:
        await define(api, two_versions())
        await api.create(OLD_WIDGETS, widget(version="v1beta1", size=2, odd=1))
        assert (await api.send("GET", f"{WIDGETS}/a"))["spec"] == {"size": 2, "color": "red"}

    play(story)


def test_deprecated_versions_warn(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, two_versions())
        answer = await api.send("GET", OLD_WIDGETS)
        assert answer.headers["Warning"] == '299 - "example.com/v1beta1 Widget is deprecated"'
        assert "Warning" not in (await api.send("GET", WIDGETS)).headers

    play(story)


def test_watches_tell_each_version_its_own_form(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        await define(api, two_versions())
        start = (await api.send("GET", OLD_WIDGETS))["metadata"]["resourceVersion"]
        opened = await api.open("GET", OLD_WIDGETS, watch="true", resourceVersion=start)
        stream: Any = opened.body
        await api.create(WIDGETS, widget(size=2))
        await api.send("PATCH", f"{WIDGETS}/a", {"spec": {"size": 3}}, headers=MERGE)
        await api.send("DELETE", f"{WIDGETS}/a")
        frames: list[Any] = []
        while len(frames) < 3:
            piece = await asyncio.wait_for(anext(stream), 5)
            frames += [json.loads(line) for line in piece.splitlines()]
        await stream.aclose()
        assert [it["type"] for it in frames] == ["ADDED", "MODIFIED", "DELETED"]
        assert {it["object"]["apiVersion"] for it in frames} == {"example.com/v1beta1"}
        assert [it["object"]["spec"]["size"] for it in frames] == [2, 3, 3]

    play(story)


def test_the_stored_version_can_change(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        made = await define(api, definition(version(), version("v2", storage=False)))
        await api.create(WIDGETS, widget("old"))
        made["spec"]["versions"][0]["storage"] = False
        made["spec"]["versions"][1]["storage"] = True
        path = f"{DEFINITIONS}/widgets.example.com"
        changed = await api.send("PUT", path, made)
        assert changed["status"]["storedVersions"] == ["v1", "v2"]
        newer = WIDGETS.replace("v1", "v2")
        await asyncio.sleep(0.1)
        await api.create(newer, widget("new", "v2"))
        for where, wanted in ((WIDGETS, "example.com/v1"), (newer, "example.com/v2")):
            items = (await api.send("GET", where))["items"]
            assert [it["metadata"]["name"] for it in items] == ["new", "old"]
            assert {it["apiVersion"] for it in items} == {wanted}
        fresh = (await api.send("GET", path)).json
        fresh["spec"]["versions"] = [it for it in fresh["spec"]["versions"] if it["name"] == "v2"]
        refused = await api.send("PUT", path, fresh)
        assert refused.code == 422
        assert "status.storedVersions[0]" in refused["message"]

    play(story)


def test_autoscalers_are_one_resource_in_two_versions(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        first = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
        second = first.replace("v1", "v2")
        tree = {
            "apiVersion": "autoscaling/v1",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "a"},
            "spec": {
                "maxReplicas": 3,
                "scaleTargetRef": {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"},
                "targetCPUUtilizationPercentage": 70,
            },
        }
        made = await api.create(first, tree)
        assert made["spec"]["targetCPUUtilizationPercentage"] == 70
        (metric,) = (await api.send("GET", f"{second}/a"))["spec"]["metrics"]
        assert metric["resource"]["target"] == {"type": "Utilization", "averageUtilization": 70}
        patch = {"spec": {"maxReplicas": 5}}
        await api.send("PATCH", f"{second}/a", patch, headers=MERGE)
        shown = await api.send("GET", first)
        assert [it["spec"]["maxReplicas"] for it in shown["items"]] == [5]
        assert shown["items"][0]["spec"]["targetCPUUtilizationPercentage"] == 70

    play(story)


def test_both_apis_of_events_tell_of_the_same_events(play: Callable[..., None]) -> None:
    async def story(api: Api) -> None:
        core = "/api/v1/namespaces/default/events"
        newer = "/apis/events.k8s.io/v1/namespaces/default/events"
        opened = await api.open("GET", newer, watch="true")
        stream: Any = opened.body
        await api.create(
            core,
            {
                "metadata": {"name": "e", "namespace": "default"},
                "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
                "message": "said",
                "reason": "Saying",
                "type": "Normal",
            },
        )
        frame = json.loads(await asyncio.wait_for(anext(stream), 5))
        await stream.aclose()
        assert frame["object"]["apiVersion"] == "events.k8s.io/v1"
        assert frame["object"]["note"] == "said"
        shown = await until(api, f"{newer}/e", lambda it: it is not None)
        assert shown["regarding"]["name"] == "p"

    play(story)
