"""Versions that a webhook converts: every verb, batches, watches, and a webhook that fails."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web
from tests.control.api.admission.conftest import Serve, serve
from tests.control.api.conftest import Api
from tests.control.api.custom_resources.conftest import WIDGETS, define, definition, version

__all__ = ["serve"]

SECOND = WIDGETS.replace("v1", "v2")
MERGE = {"content-type": "application/merge-patch+json"}


def schema_of(field: str) -> dict[str, Any]:
    spec = {"type": "object", "properties": {field: {"type": "integer"}}}
    return {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}


def two_versions(client: dict[str, Any]) -> dict[str, Any]:
    """`spec.size` in v1, which is stored, is `spec.width` in v2."""
    webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
    return definition(
        version("v1", schema=schema_of("size")),
        version("v2", storage=False, schema=schema_of("width")),
        conversion={"strategy": "Webhook", "webhook": webhook},
    )


def converted(tree: dict[str, Any], wanted: str) -> dict[str, Any]:
    fields = ("size", "width") if wanted.endswith("v2") else ("width", "size")
    spec = {fields[1]: tree["spec"][fields[0]]} if fields[0] in tree["spec"] else tree["spec"]
    return {**tree, "apiVersion": wanted, "spec": spec}


class Converter:
    """Answers conversion reviews; `result` is what it says of them."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.result: dict[str, Any] = {"status": "Success"}
        self.change: Callable[[dict[str, Any]], dict[str, Any]] = lambda tree: tree

    async def __call__(self, _request: web.Request, review: dict[str, Any]) -> web.Response:
        asked = review["request"]
        self.batches.append(len(asked["objects"]))
        made = [self.change(converted(it, asked["desiredAPIVersion"])) for it in asked["objects"]]
        response = {"uid": asked["uid"], "result": self.result, "convertedObjects": made}
        head = {"apiVersion": review["apiVersion"], "kind": "ConversionReview"}
        return web.json_response({**head, "response": response})


def widget(name: str, version: str, **spec: Any) -> dict[str, Any]:
    head = {"apiVersion": f"example.com/{version}", "kind": "Widget"}
    return {**head, "metadata": {"name": name}, "spec": spec}


def test_every_verb_in_both_versions(play: Callable[..., None], serve: Serve) -> None:
    async def story(api: Api) -> None:
        converter = Converter()
        async with serve(answer=converter) as hook:
            await define(api, two_versions(hook.client()))
            made = await api.create(SECOND, widget("a", "v2", width=4))
            assert (made["apiVersion"], made["spec"]) == ("example.com/v2", {"width": 4})
            stored = await api.send("GET", f"{WIDGETS}/a")
            assert (stored["apiVersion"], stored["spec"]) == ("example.com/v1", {"size": 4})
            patch = {"spec": {"width": 5}}
            patched = await api.send("PATCH", f"{SECOND}/a", patch, headers=MERGE)
            assert patched["spec"] == {"width": 5}
            assert (await api.send("GET", f"{WIDGETS}/a"))["spec"] == {"size": 5}
            shown = await api.send("GET", f"{SECOND}/a")
            for field in ("uid", "resourceVersion", "creationTimestamp"):
                assert shown["metadata"][field] == patched["metadata"][field]
            assert (await api.send("DELETE", f"{SECOND}/a")).code == 200
            assert (await api.send("GET", SECOND))["items"] == []

    play(story, in_real_time=True)


def test_lists_are_converted_many_at_a_time(play: Callable[..., None], serve: Serve) -> None:
    async def story(api: Api) -> None:
        converter = Converter()
        async with serve(answer=converter) as hook:
            await define(api, two_versions(hook.client()))
            for number in range(150):
                await api.create(WIDGETS, widget(f"w{number:03}", "v1", size=number))
            assert converter.batches == []
            items = (await api.send("GET", SECOND))["items"]
            assert [it["spec"]["width"] for it in items] == list(range(150))
            assert converter.batches == [100, 50]
            await api.send("GET", SECOND)
            assert converter.batches == [100, 50]

    play(story, in_real_time=True)


def test_watches_see_converted_changes_in_order(play: Callable[..., None], serve: Serve) -> None:
    async def story(api: Api) -> None:
        async with serve(answer=Converter()) as hook:
            await define(api, two_versions(hook.client()))
            opened = await api.open("GET", SECOND, watch="true")
            stream: Any = opened.body
            for number in range(5):
                await api.create(WIDGETS, widget(f"w{number}", "v1", size=number))
            await api.send("DELETE", f"{WIDGETS}/w0")
            frames: list[Any] = []
            while len(frames) < 6:
                piece = await asyncio.wait_for(anext(stream), 5)
                frames += [json.loads(line) for line in piece.splitlines()]
            await stream.aclose()
            assert [it["type"] for it in frames] == ["ADDED"] * 5 + ["DELETED"]
            assert [it["object"]["spec"] for it in frames[:5]] == [{"width": n} for n in range(5)]
            versions = [int(it["object"]["metadata"]["resourceVersion"]) for it in frames]
            assert versions == sorted(versions)

    play(story, in_real_time=True)


def test_a_webhook_that_fails_is_told_and_harms_no_other_version(
    play: Callable[..., None], serve: Serve
) -> None:
    async def story(api: Api) -> None:
        converter = Converter()
        async with serve(answer=converter) as hook:
            await define(api, two_versions(hook.client()))
            await api.create(WIDGETS, widget("a", "v1", size=1))
            converter.result = {"status": "Failure", "message": "not today"}
            refused = await api.send("GET", f"{SECOND}/a")
            assert refused.code == 500
            assert refused["message"] == (
                "conversion webhook for example.com/v1, Kind=Widget failed: not today"
            )
            assert (await api.send("GET", f"{WIDGETS}/a")).code == 200
            written = await api.send("POST", SECOND, widget("b", "v2", width=1))
            assert written.code == 500
            converter.result = {"status": "Success"}
            assert (await api.send("GET", f"{SECOND}/a"))["spec"] == {"width": 1}

    play(story, in_real_time=True)


def test_a_webhook_may_not_change_who_an_object_is(play: Callable[..., None], serve: Serve) -> None:
    async def story(api: Api) -> None:
        converter = Converter()
        async with serve(answer=converter) as hook:
            await define(api, two_versions(hook.client()))
            await api.create(WIDGETS, widget("a", "v1", size=1))
            converter.change = lambda tree: {
                **tree,
                "metadata": {**tree["metadata"], "name": "other"},
            }
            refused = await api.send("GET", f"{SECOND}/a")
            assert refused.code == 500
            assert "must have the same name" in refused["message"]
            converter.change = lambda tree: {
                **tree,
                "metadata": {
                    **tree["metadata"],
                    "labels": {"new": "label"},
                    "finalizers": ["example.com/odd"],
                },
            }
            shown = (await api.send("GET", f"{SECOND}/a"))["metadata"]
            assert shown["labels"] == {"new": "label"}
            assert "finalizers" not in shown

    play(story, in_real_time=True)
