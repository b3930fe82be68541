"""Quotas: what is used is told, follows each object's life, and is never passed."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.requests import (
    MERGE,
    Object,
    deleted,
    names,
    patched,
    read,
    until,
    updated,
)
from tests.control.api.conftest import Api

TEAM = "/api/v1/namespaces/team"
QUOTAS = f"{TEAM}/resourcequotas"
PODS = f"{TEAM}/pods"
LABELS = {"app": "web"}
TEMPLATE = {
    "metadata": {"labels": LABELS},
    "spec": {"containers": [{"name": "main", "image": "hello:1"}]},
}
Play = Callable[..., None]


async def limited(api: Api, name: str = "q", scopes: tuple[str, ...] = (), **hard: str) -> Any:
    await api.send("POST", "/api/v1/namespaces", {"metadata": {"name": "team"}})
    spec: Object = {
        "hard": {key.replace("__", "/").replace("_", "."): value for key, value in hard.items()}
    }
    if scopes:
        spec["scopes"] = list(scopes)
    await api.create(QUOTAS, {"metadata": {"name": name, "labels": {"of": "test"}}, "spec": spec})
    return await counted(api, name, **dict.fromkeys(hard, "0"))


async def counted(api: Api, name: str = "q", **used: str) -> Any:
    """The quota as soon as it tells of that use."""
    wanted = {key.replace("__", "/").replace("_", "."): value for key, value in used.items()}

    def tells(tree: Any) -> bool:
        told = (tree.get("status") or {}).get("used", {})
        return all(told.get(key) == value for key, value in wanted.items())

    return await until(api, f"{QUOTAS}/{name}", tells)


def pod(name: str, requests: Object | None = None, **spec: Any) -> Object:
    resources = {"requests": requests, "limits": requests} if requests else {}
    container = {"name": "main", "image": "hello:1", "resources": resources}
    return {
        "metadata": {"name": name},
        "spec": {"automountServiceAccountToken": False, "containers": [container], **spec},
    }


async def account(api: Api) -> None:
    await api.create("/api/v1/namespaces", {"metadata": {"name": "team"}})
    await api.create(f"{TEAM}/serviceaccounts", {"metadata": {"name": "default"}})


def test_the_status_is_calculated_at_once(play: Play) -> None:
    async def story(api: Api) -> None:
        shown = await limited(api, configmaps="2", pods="5")
        assert shown["status"]["hard"] == {"configmaps": "2", "pods": "5"}

    play(story)


OBJECTS: dict[str, tuple[str, dict[str, str], Object]] = {
    "configmaps": (f"{TEAM}/configmaps", {"configmaps": "1"}, {}),
    "secrets": (f"{TEAM}/secrets", {"secrets": "1"}, {}),
    "services": (
        f"{TEAM}/services",
        {"services": "1", "services_nodeports": "1", "services_loadbalancers": "0"},
        {"spec": {"type": "NodePort", "ports": [{"port": 80}]}},
    ),
    "replicationcontrollers": (
        f"{TEAM}/replicationcontrollers",
        {"replicationcontrollers": "1"},
        {"spec": {"replicas": 0, "selector": LABELS, "template": TEMPLATE}},
    ),
    "replicasets": (
        "/apis/apps/v1/namespaces/team/replicasets",
        {"count__replicasets_apps": "1"},
        {"spec": {"replicas": 0, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}},
    ),
}


@pytest.mark.parametrize("resource", OBJECTS)
def test_a_quota_captures_the_life_of(play: Play, resource: str) -> None:
    path, used, body = OBJECTS[resource]

    async def story(api: Api) -> None:
        await limited(api, **dict.fromkeys(used, "1"))
        await api.create(path, {"metadata": {"name": "one"}, **body})
        await counted(api, **used)
        if resource == "services":
            answer = await api.send("POST", path, {"metadata": {"name": "two"}, **body})
            assert (answer.code, "exceeded quota" in answer["message"]) == (403, True)
        await deleted(api, f"{path}/one", propagationPolicy="Background")
        await counted(api, **dict.fromkeys(used, "0"))

    play(story)


def test_a_quota_captures_the_life_of_a_pod(play: Play) -> None:
    async def story(api: Api) -> None:
        await account(api)
        extended = "requests_example.com/dongle".replace("/", "__")
        await limited(api, pods="5", cpu="1", memory="500Mi", **{extended: "3"})
        wanted = {"cpu": "500m", "memory": "252Mi", "example.com/dongle": "2"}
        await api.create(PODS, pod("one", wanted))
        used = {"pods": "1", "cpu": "500m", "memory": "252Mi", extended: "2"}
        await counted(api, **used)
        for much in ({"cpu": "600m"}, {"example.com/dongle": "2"}):
            answer = await api.send("POST", PODS, pod("two", {**wanted, **much}))
            assert (answer.code, "exceeded quota" in answer["message"]) == (403, True)
        changed = pod("one", {**wanted, "cpu": "100m"})
        assert (await api.send("PATCH", f"{PODS}/one", changed, headers=MERGE)).code == 422
        await counted(api, **used)
        await deleted(api, f"{PODS}/one", gracePeriodSeconds=0)
        await counted(api, pods="0", cpu="0", memory="0")

    play(story)


def test_a_quota_of_pods_by_their_quality(play: Play) -> None:
    async def story(api: Api) -> None:
        await account(api)
        await limited(api, "best", ("BestEffort",), pods="5")
        await limited(api, "other", ("NotBestEffort",), pods="5")
        await api.create(PODS, pod("one"))
        await counted(api, "best", pods="1")
        await counted(api, "other", pods="0")
        await deleted(api, f"{PODS}/one", gracePeriodSeconds=0)
        await counted(api, "best", pods="0")
        await api.create(PODS, pod("two", {"cpu": "100m", "memory": "10Mi"}))
        await counted(api, "other", pods="1")
        await counted(api, "best", pods="0")

    play(story)


def test_a_quota_of_pods_by_whether_they_end(play: Play) -> None:
    async def story(api: Api) -> None:
        await account(api)
        await limited(api, "ending", ("Terminating",), pods="5")
        await limited(api, "lasting", ("NotTerminating",), pods="5")
        await api.create(PODS, pod("one"))
        await counted(api, "lasting", pods="1")
        await counted(api, "ending", pods="0")
        await deleted(api, f"{PODS}/one", gracePeriodSeconds=0)
        await counted(api, "lasting", pods="0")
        await api.create(PODS, pod("two", activeDeadlineSeconds=3600))
        await counted(api, "ending", pods="1")
        await counted(api, "lasting", pods="0")

    play(story)


def test_a_quota_is_updated_and_deleted(play: Play) -> None:
    async def story(api: Api) -> None:
        shown = await limited(api, cpu="1", memory="500Mi")
        shown["spec"]["hard"] = {"cpu": "2", "memory": "1Gi"}
        shown = await updated(api, f"{QUOTAS}/q", shown)
        assert shown["spec"]["hard"] == {"cpu": "2", "memory": "1Gi"}
        await deleted(api, f"{QUOTAS}/q")
        assert (await api.send("GET", f"{QUOTAS}/q")).code == 404

    play(story)


def test_a_quota_has_every_operation(play: Play) -> None:
    async def story(api: Api) -> None:
        await limited(api, cpu="500m", memory="500Mi")
        assert names(await read(api, "/api/v1/resourcequotas", labelSelector="of=test")) == ["q"]
        change = {"metadata": {"labels": {"patched": "yes"}}, "spec": {"hard": {"memory": "750Mi"}}}
        shown = await patched(api, f"{QUOTAS}/q", change)
        assert shown["spec"]["hard"]["memory"] == "750Mi"
        await deleted(api, QUOTAS, labelSelector="patched=yes")
        assert (await read(api, "/api/v1/resourcequotas", labelSelector="of=test"))["items"] == []

    play(story)


def test_the_status_of_a_quota_is_written(play: Play) -> None:
    async def story(api: Api) -> None:
        await limited(api, cpu="500m", memory="500Mi")
        hard = {"cpu": "250m", "memory": "250Mi"}
        shown = await patched(api, f"{QUOTAS}/q/status", {"status": {"hard": hard}})
        assert shown["status"]["hard"] == hard
        assert shown["spec"]["hard"] == {"cpu": "500m", "memory": "500Mi"}
        shown = await read(api, f"{QUOTAS}/q/status")
        shown["status"]["hard"] = {"cpu": "1"}
        assert (await updated(api, f"{QUOTAS}/q/status", shown))["status"]["hard"] == {"cpu": "1"}
        await asyncio.sleep(300)
        shown = await read(api, f"{QUOTAS}/q")
        assert shown["status"]["hard"] == {"cpu": "500m", "memory": "500Mi"}

    play(story)
