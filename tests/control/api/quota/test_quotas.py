"""Quotas over the API: nothing passes them, and what is given back can be used again."""

import asyncio
from typing import Any

import pytest
from tests.control.api.conftest import Answer, Api

NAMESPACE = "/api/v1/namespaces/default"
MAPS = f"{NAMESPACE}/configmaps"
QUOTAS = f"{NAMESPACE}/resourcequotas"
SETTLED = 2.0


async def quota(api: Api, **hard: str) -> None:
    limited = {key.replace("__", "/"): value for key, value in hard.items()}
    await api.create(QUOTAS, {"metadata": {"name": "q"}, "spec": {"hard": limited}})
    await asyncio.sleep(SETTLED)


async def used(api: Api) -> Any:
    return (await api.send("GET", f"{QUOTAS}/q"))["status"]["used"]


async def write(api: Api, name: str, **parameters: Any) -> Answer:
    return await api.send("POST", MAPS, {"metadata": {"name": name}}, **parameters)


def test_what_is_there_is_counted_and_the_rest_refused(play: Any) -> None:
    async def story(api: Api) -> None:
        await write(api, "a")
        await quota(api, count__configmaps="2")
        assert await used(api) == {"count/configmaps": "1"}
        assert (await write(api, "b")).code == 201
        answer = await write(api, "c")
        assert (answer.code, answer["reason"]) == (403, "Forbidden")
        assert answer["message"] == (
            'configmaps "c" is forbidden: exceeded quota: q, requested: count/configmaps=1, '
            "used: count/configmaps=2, limited: count/configmaps=2"
        )

    play(story)


def test_no_two_creations_share_what_is_left(play: Any) -> None:
    async def story(api: Api) -> None:
        await quota(api, configmaps="3")
        answers = await asyncio.gather(*(write(api, f"m-{number}") for number in range(12)))
        assert sorted(answer.code for answer in answers) == [201] * 3 + [403] * 9
        await asyncio.sleep(SETTLED)
        assert await used(api) == {"configmaps": "3"}
        listed = await api.send("GET", MAPS)
        assert len(listed["items"]) == 3

    play(story)


def test_what_is_deleted_is_given_back(play: Any) -> None:
    async def story(api: Api) -> None:
        await quota(api, configmaps="1")
        assert (await write(api, "a")).code == 201
        assert (await write(api, "b")).code == 403
        await api.send("DELETE", f"{MAPS}/a")
        await asyncio.sleep(SETTLED)
        assert await used(api) == {"configmaps": "0"}
        assert (await write(api, "b")).code == 201

    play(story)


def test_a_creation_that_fails_gives_its_charge_back(play: Any) -> None:
    async def story(api: Api) -> None:
        await quota(api, configmaps="2")
        assert (await write(api, "a")).code == 201
        assert (await write(api, "a")).code == 409
        await asyncio.sleep(10)
        assert await used(api) == {"configmaps": "1"}

    play(story)


def test_a_dry_run_is_judged_and_not_charged(play: Any) -> None:
    async def story(api: Api) -> None:
        await quota(api, configmaps="1")
        assert (await write(api, "a", dryRun="All")).code == 201
        assert await used(api) == {"configmaps": "0"}
        assert (await write(api, "a")).code == 201
        assert (await write(api, "b", dryRun="All")).code == 403

    play(story)


def test_a_quota_that_was_not_counted_yet_lets_nothing_pass(play: Any) -> None:
    async def story(api: Api) -> None:
        hard = {"configmaps": "1"}
        await api.create(QUOTAS, {"metadata": {"name": "q"}, "spec": {"hard": hard}})
        answer = await write(api, "a")
        assert answer.code == 403
        assert "status unknown for quota: q, resources: configmaps" in answer["message"]

    play(story)


def test_pods_must_say_what_is_limited(play: Any, account: Any) -> None:
    async def story(api: Api) -> None:
        await api.create(f"{NAMESPACE}/serviceaccounts", account)
        await quota(api, cpu="1", pods="5")
        container: Any = {"name": "a", "image": "hello:1"}
        body = {"metadata": {"name": "p"}, "spec": {"containers": [container]}}
        answer = await api.send("POST", f"{NAMESPACE}/pods", body)
        assert answer.code == 403
        assert answer["message"] == (
            'pods "p" is forbidden: failed quota: q: must specify cpu for: a'
        )
        container["resources"] = {"requests": {"cpu": "600m"}}
        assert (await api.send("POST", f"{NAMESPACE}/pods", body)).code == 201
        await asyncio.sleep(SETTLED)
        assert await used(api) == {"cpu": "600m", "pods": "1"}
        body["metadata"] = {"name": "p2"}
        answer = await api.send("POST", f"{NAMESPACE}/pods", body)
        assert "requested: cpu=600m, used: cpu=600m, limited: cpu=1" in answer["message"]

    play(story)


def test_other_limits_are_counted_at_once(play: Any) -> None:
    async def story(api: Api) -> None:
        await quota(api, configmaps="1")
        merge = {"content-type": "application/merge-patch+json"}
        body = {"spec": {"hard": {"configmaps": "2", "secrets": "1"}}}
        assert (await api.send("PATCH", f"{QUOTAS}/q", body, headers=merge)).code == 200
        await asyncio.sleep(SETTLED)
        shown = (await api.send("GET", f"{QUOTAS}/q"))["status"]
        assert shown["hard"] == {"configmaps": "2", "secrets": "1"}
        assert shown["used"] == {"configmaps": "0", "secrets": "0"}

    play(story)


@pytest.mark.parametrize("name", ["count/widgets.example.com", "count/deployments.apps"])
def test_any_kind_can_be_counted(play: Any, name: str) -> None:
    async def story(api: Api) -> None:
        await quota(api, **{name: "1"})
        assert await used(api) == {name: "0"}

    play(story)
