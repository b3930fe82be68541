"""A ReplicationController through its life: it keeps its pods, takes in strays, is scaled, and
says when it may make no more."""

from typing import Any

from tests.scenarios.story import tell, until

from sampan.kubernetes.kinds.resource import PODS, REPLICATION_CONTROLLERS, RESOURCE_QUOTAS
from sampan.simulation.cluster import SimulatedCluster
from sampan.testing import objects


async def controlled(cluster: SimulatedCluster, replicas: int) -> None:
    controller = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": replicas, "template": objects.pod_template()},
    }
    await cluster.create(REPLICATION_CONTROLLERS, controller)


async def status(cluster: SimulatedCluster) -> dict[str, Any]:
    found = await cluster.find(REPLICATION_CONTROLLERS, "web")
    return dict(found["status"], seen=found["metadata"]["generation"])


async def has(cluster: SimulatedCluster, ready: int) -> bool:
    """Whether the status tells of as many replicas, all of them ready."""
    told = await status(cluster)
    settled = told.get("observedGeneration") == told["seen"]
    return settled and told["replicas"] == ready and told.get("readyReplicas", 0) == ready


def test_it_is_scaled_up_and_down() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await controlled(cluster, 2)
        await until(cluster, lambda: has(cluster, 2))
        for size in (4, 1):
            scale = {"spec": {"replicas": size}}
            await cluster.admin.patch(
                REPLICATION_CONTROLLERS, "web", scale, "default", subresource="scale"
            )
            await until(cluster, lambda size=size: has(cluster, size))
        assert (await status(cluster))["availableReplicas"] == 1

    tell(story)


def test_a_lost_pod_is_replaced_and_a_stray_one_taken_in() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await controlled(cluster, 2)
        await until(cluster, lambda: has(cluster, 2))
        first, second = [pod["metadata"]["name"] for pod in await cluster.read(PODS, dict)]
        strange = {"metadata": {"labels": {"app": "other"}}}
        await cluster.admin.patch(PODS, first, strange, "default")
        await cluster.admin.delete(PODS, second, "default")
        await cluster.step(40.0)
        assert await has(cluster, 2)
        released = await cluster.find(PODS, first)
        assert not released["metadata"].get("ownerReferences")
        again = {"metadata": {"labels": {"app": "web"}}}
        await cluster.admin.patch(PODS, first, again, "default")
        await cluster.step(40.0)
        pods = await cluster.read(PODS, dict)
        owners = {pod["metadata"]["ownerReferences"][0]["name"] for pod in pods}
        assert (len(pods), owners) == (2, {"web"})

    tell(story)


def test_a_quota_that_is_used_up_shows_until_there_is_room() -> None:
    async def failing(cluster: SimulatedCluster) -> Any:
        return (await status(cluster)).get("conditions")

    async def story(cluster: SimulatedCluster) -> None:
        quota = {"metadata": {"name": "few", "namespace": "default"}, "spec": {}}
        quota["spec"] = {"hard": {"pods": "2"}}
        await cluster.create(RESOURCE_QUOTAS, quota)
        await cluster.step(2.0)
        await controlled(cluster, 3)
        (failure,) = await until(cluster, lambda: failing(cluster))
        assert (failure["type"], failure["reason"]) == ("ReplicaFailure", "FailedCreate")
        assert "exceeded quota: few" in failure["message"]
        smaller = {"spec": {"replicas": 2}}
        await cluster.admin.patch(REPLICATION_CONTROLLERS, "web", smaller, "default")
        await until(cluster, lambda: has(cluster, 2))
        assert not await failing(cluster)

    tell(story)
