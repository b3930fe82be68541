"""Get, list and their forms."""

import asyncio

import pytest

from sampan.control.api.cache import resource_cache

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
PROTOBUF = "application/vnd.kubernetes.protobuf"


def config_map(name, **labels):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels},
        "data": {"k": name},
    }


def names(answer):
    return [it["metadata"]["name"] for it in answer["items"]]


async def fill(api, count=5):
    for number in range(count):
        await api.create(MAPS, config_map(f"m{number}", app="ab"[number % 2]))


def test_lists_are_ordered_and_selected(play):
    async def story(api):
        await fill(api)
        assert names(await api.send("GET", MAPS)) == ["m0", "m1", "m2", "m3", "m4"]
        for selector, found in (
            ("app=a", ["m0", "m2", "m4"]),
            ("app!=a", ["m1", "m3"]),
            ("app in (a,b)", ["m0", "m1", "m2", "m3", "m4"]),
            ("!app", []),
        ):
            assert names(await api.send("GET", MAPS, labelSelector=selector)) == found
        one = await api.send("GET", MAPS, fieldSelector="metadata.name=m3")
        assert names(one) == ["m3"]
        assert names(await api.send("GET", MAPS, fieldSelector="metadata.name!=m3")) == [
            "m0",
            "m1",
            "m2",
            "m4",
        ]
        every = await api.send(
            "GET", "/api/v1/configmaps", fieldSelector="metadata.namespace=default"
        )
        assert len(names(every)) == 5

    play(story)


def test_indexes_follow_changes_of_labels(play):
    async def story(api):
        await api.create(MAPS, config_map("m", app="a"))
        patch = {"metadata": {"labels": {"app": "b"}}}
        await api.send(
            "PATCH", f"{MAPS}/m", patch, headers={"content-type": "application/merge-patch+json"}
        )
        assert names(await api.send("GET", MAPS, labelSelector="app=a")) == []
        assert names(await api.send("GET", MAPS, labelSelector="app=b")) == ["m"]
        await api.send("DELETE", f"{MAPS}/m")
        assert names(await api.send("GET", MAPS, labelSelector="app=b")) == []

    play(story)


def test_bad_options_are_refused(play):
    async def story(api):
        for parameters in (
            {"labelSelector": "a=b=c"},
            {"fieldSelector": "spec.nothing=x"},
            {"limit": "many"},
            {"continue": "nonsense"},
        ):
            answer = await api.send("GET", MAPS, **parameters)
            assert answer.code == 400, parameters
            assert answer["reason"] == "BadRequest"

    play(story)


def test_options_that_exclude_one_another_are_refused(play):
    rule = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden"

    async def story(api):
        for message, parameters in (
            (f"{rule} unless resourceVersion is provided", {"resourceVersionMatch": "Exact"}),
            (
                f'{rule.removesuffix("is forbidden")}"exact" is forbidden for resourceVersion "0"',
                {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
            ),
            (
                'resourceVersionMatch: Unsupported value: "Newest": supported values: "", '
                '"Exact", "NotOlderThan"',
                {"resourceVersionMatch": "Newest", "resourceVersion": "1"},
            ),
            (
                "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
                {"sendInitialEvents": "true"},
            ),
            (
                "resourceVersionMatch: Forbidden: sendInitialEvents requires setting "
                "resourceVersionMatch to NotOlderThan",
                {"sendInitialEvents": "true", "watch": "true"},
            ),
            (
                f"{rule} for watch unless sendInitialEvents is provided",
                {"resourceVersionMatch": "NotOlderThan", "watch": "true"},
            ),
        ):
            answer = await api.send("GET", MAPS, **parameters)
            assert answer.code == 422, parameters
            expected = f'ListOptions.meta.k8s.io "" is invalid: {message}'
            assert answer["message"] == expected

    play(story)


def test_pages_are_one_consistent_list(play):
    async def story(api):
        await fill(api)
        first = await api.send("GET", MAPS, limit=2)
        assert names(first) == ["m0", "m1"]
        assert first["metadata"]["remainingItemCount"] == 3
        await api.send("DELETE", f"{MAPS}/m2")
        await api.create(MAPS, config_map("m15"))
        token = first["metadata"]["continue"]
        second = await api.send("GET", MAPS, **{"limit": 2, "continue": token})
        assert names(second) == ["m2", "m3"]
        assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        token = second["metadata"]["continue"]
        third = await api.send("GET", MAPS, **{"limit": 2, "continue": token})
        assert names(third) == ["m4"]
        assert "continue" not in third["metadata"]

    play(story)


def test_a_page_that_left_the_window_has_expired(play, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource_cache, "WINDOW_EVENTS", 3)

    async def story(api):
        await fill(api)
        first = await api.send("GET", MAPS, limit=2)
        for number in range(5):
            await api.create(MAPS, config_map(f"z{number}"))
        token = first["metadata"]["continue"]
        answer = await api.send("GET", MAPS, **{"limit": 2, "continue": token})
        assert answer.code == 410
        assert answer["reason"] == "Expired"

    play(story)


def test_an_earlier_version_can_be_listed(play):
    async def story(api):
        await fill(api, 2)
        before = (await api.send("GET", MAPS))["metadata"]["resourceVersion"]
        await api.send("DELETE", f"{MAPS}/m0")
        exact = await api.send("GET", MAPS, resourceVersion=before, resourceVersionMatch="Exact")
        assert names(exact) == ["m0", "m1"]
        newer = await api.send("GET", MAPS, resourceVersion=before)
        assert names(newer) == ["m1"]

    play(story)


def test_tables_and_metadata(play):
    async def story(api):
        await fill(api, 2)
        table = await api.send("GET", MAPS, headers={"accept": TABLE})
        assert table["kind"] == "Table"
        assert [it["name"] for it in table["columnDefinitions"]] == ["Name", "Data", "Age"]
        assert table["rows"][0]["cells"][:2] == ["m0", 1]
        assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
        one = await api.send("GET", f"{MAPS}/m1", headers={"accept": TABLE})
        assert one["rows"][0]["cells"][0] == "m1"
        metadata = await api.send("GET", MAPS, headers={"accept": METADATA_LIST})
        assert metadata["kind"] == "PartialObjectMetadataList"
        assert "data" not in metadata["items"][0]
        single = await api.send("GET", f"{MAPS}/m1", headers={"accept": METADATA})
        assert single["kind"] == "PartialObjectMetadata"

    play(story)


def test_the_form_of_an_answer_is_negotiated(play):
    async def story(api):
        await fill(api, 1)
        both = await api.send("GET", MAPS, headers={"accept": f"{PROTOBUF},application/json"})
        assert both.code == 200
        assert both.headers["Content-Type"] == PROTOBUF
        nothing = await api.send("GET", MAPS, headers={"accept": "application/cbor"})
        assert nothing.code == 406
        assert nothing["message"] == (
            "only the following media types are accepted: application/json, application/yaml, "
            "application/vnd.kubernetes.protobuf"
        )
        yaml = await api.send("GET", f"{MAPS}/m0", headers={"accept": "application/yaml"})
        assert "name: m0" in yaml.json

    play(story)


def test_a_read_waits_for_the_version_it_asks_for(play):
    async def story(api):
        await fill(api, 1)
        now = int((await api.send("GET", MAPS))["metadata"]["resourceVersion"])
        waiting = asyncio.create_task(api.send("GET", MAPS, resourceVersion=now + 1))
        await asyncio.sleep(0)
        await api.create(MAPS, config_map("later"))
        assert "later" in names(await waiting)

    play(story)


def test_what_is_not_served_is_not_found(play):
    async def story(api):
        for path in (
            "/api/v1/namespaces/default/nothings",
            "/apis/example.com/v1/things",
            "/api/v1/namespaces/default/pods/x/nothing",
            "/api/v1/namespaces/default/nodes",
            "/api/v1/namespaces/default/nodes/x",
            "/api/v1/pods/x",
            "/api/v1/namespaces/default/pods/../x",
            "/nothing",
        ):
            assert (await api.send("GET", path)).code == 404, path
        assert (await api.send("POST", f"{MAPS}/x", {})).code == 405
        assert (await api.send("GET", "/apis/authorization.k8s.io/v1/tokenreviews")).code == 404

    play(story)
