"""Namespaces are patched, updated, given a status and finalizers, and end in order."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.conformance.requests import JSON_PATCH, patched, read, updated
from tests.control.api.conftest import Api

from sampan.kubernetes.kinds.resource import (
    CONFIG_MAPS,
    NAMESPACES,
    PODS,
    SERVICES,
)
from sampan.simulation.cluster import SimulatedCluster
from sampan.testing import objects, virtual_clock

PATH = "/api/v1/namespaces"
TEAM = f"{PATH}/team"
Play = Callable[..., None]


async def team(api: Api) -> Any:
    return await api.create(PATH, {"metadata": {"name": "team"}})


def test_a_namespace_is_patched(play: Play) -> None:
    async def story(api: Api) -> None:
        await team(api)
        await patched(api, TEAM, {"metadata": {"labels": {"a": "b"}}})
        assert (await read(api, TEAM))["metadata"]["labels"]["a"] == "b"

    play(story)


def test_a_namespace_is_updated(play: Play) -> None:
    async def story(api: Api) -> None:
        tree = await team(api)
        tree["metadata"]["labels"]["updated"] = "yes"
        shown = await updated(api, TEAM, tree)
        labels = {"kubernetes.io/metadata.name": "team", "updated": "yes"}
        assert shown["metadata"]["labels"] == labels

    play(story)


def test_the_status_of_a_namespace_is_patched_and_updated(play: Play) -> None:
    async def story(api: Api) -> None:
        await team(api)
        condition = {"type": "Patched", "status": "True", "reason": "E2E", "message": "set"}
        shown = await patched(api, f"{TEAM}/status", {"status": {"conditions": [condition]}})
        assert shown["status"]["phase"] == "Active"
        shown["status"]["conditions"].append({**condition, "type": "Updated"})
        shown = await updated(api, f"{TEAM}/status", shown)
        assert [it["type"] for it in shown["status"]["conditions"]] == ["Patched", "Updated"]

    play(story)


def test_a_namespace_is_given_a_finalizer(play: Play) -> None:
    async def story(api: Api) -> None:
        tree = await team(api)
        assert tree["spec"]["finalizers"] == ["kubernetes"]
        tree["spec"]["finalizers"].append("example.com/hold")
        shown = await updated(api, f"{TEAM}/finalize", tree)
        assert shown["spec"]["finalizers"] == ["kubernetes", "example.com/hold"]
        remove = [{"op": "remove", "path": "/spec/finalizers/1"}]
        answer = await api.send("PATCH", TEAM, remove, headers=JSON_PATCH)
        assert answer["spec"]["finalizers"] == ["kubernetes", "example.com/hold"]
        shown = await read(api, TEAM)
        shown["spec"]["finalizers"] = ["kubernetes"]
        shown = await updated(api, f"{TEAM}/finalize", shown)
        assert shown["spec"]["finalizers"] == ["kubernetes"]

    play(story)


def tell(story: Callable[[SimulatedCluster], Awaitable[None]]) -> None:
    async def told() -> None:
        cluster = SimulatedCluster(1, 1)
        await cluster.start()
        try:
            await cluster.create(NAMESPACES, {"metadata": {"name": "team"}})
            await cluster.step(2.0)
            await story(cluster)
        finally:
            await cluster.close()

    virtual_clock.run(told())


async def gone(cluster: SimulatedCluster) -> None:
    for _ in range(200):
        await cluster.step()
        if await cluster.find(NAMESPACES, "team", "") is None:
            return
    raise AssertionError("the namespace did not end")


def pod(name: str, **metadata: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "example:1"}
    return {
        "metadata": {"name": name, "namespace": "team", **metadata},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 5},
    }


def test_pods_end_with_their_namespace() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await cluster.create(PODS, pod("one"))
        await cluster.step(5.0)
        assert (await cluster.find(PODS, "one", "team"))["status"]["phase"] == "Running"
        await cluster.admin.delete(NAMESPACES, "team")
        await gone(cluster)
        await cluster.create(NAMESPACES, {"metadata": {"name": "team"}})
        assert not (await cluster.admin.list(PODS, "team")).items

    tell(story)


def test_services_end_with_their_namespace() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await cluster.create(SERVICES, objects.service("web", namespace="team"))
        await cluster.admin.delete(NAMESPACES, "team")
        await gone(cluster)
        await cluster.create(NAMESPACES, {"metadata": {"name": "team"}})
        assert not (await cluster.admin.list(SERVICES, "team")).items

    tell(story)


def test_pods_end_before_all_else_in_their_namespace() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await cluster.create(PODS, pod("held", finalizers=["example.com/hold"]))
        settings = {"metadata": {"name": "settings", "namespace": "team"}}
        await cluster.create(CONFIG_MAPS, settings)
        await cluster.step(5.0)
        await cluster.admin.delete(NAMESPACES, "team")
        await cluster.step(20.0)
        assert await cluster.find(PODS, "held", "team")
        assert await cluster.find(CONFIG_MAPS, "settings", "team")
        namespace = await cluster.find(NAMESPACES, "team", "")
        conditions = {it["type"]: it["status"] for it in namespace["status"]["conditions"]}
        assert conditions["NamespaceContentRemaining"] == "True"
        assert conditions["NamespaceFinalizersRemaining"] == "True"
        await cluster.admin.patch(PODS, "held", {"metadata": {"finalizers": None}}, "team")
        await gone(cluster)

    tell(story)
