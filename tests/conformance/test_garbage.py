"""What becomes of dependents when their owner goes: deleted with it, before it, or left."""

from collections.abc import Awaitable, Callable
from typing import Any

from sampan.kubernetes.kinds.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
)
from sampan.simulation.cluster import SimulatedCluster
from sampan.testing import objects, virtual_clock

Story = Callable[[SimulatedCluster], Awaitable[None]]


def tell(story: Story) -> None:
    async def told() -> None:
        cluster = SimulatedCluster(1, 2)
        await cluster.start()
        try:
            await cluster.step(2.0)
            await story(cluster)
        finally:
            await cluster.close()

    virtual_clock.run(told())


async def deployed(cluster: SimulatedCluster) -> None:
    await cluster.create(DEPLOYMENTS, objects.deployment(replicas=2))
    await cluster.step(5.0)
    assert len((await cluster.admin.list(REPLICA_SETS, "default")).items) == 1


async def owned(cluster: SimulatedCluster, name: str, *owners: Any, **metadata: Any) -> Any:
    """A config map with other objects as its owners."""
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": True,
        }
        for owner in owners
    ]
    body = {"metadata": {"name": name, "namespace": "default", "ownerReferences": references}}
    body["metadata"] |= metadata
    await cluster.create(CONFIG_MAPS, body)
    return await cluster.find(CONFIG_MAPS, name)


def test_replica_sets_go_with_their_deployment() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await deployed(cluster)
        await cluster.admin.delete(DEPLOYMENTS, "web", "default", propagation="Background")
        await cluster.step(10.0)
        assert not (await cluster.admin.list(REPLICA_SETS, "default")).items
        assert not (await cluster.admin.list(PODS, "default")).items

    tell(story)


def test_replica_sets_stay_as_orphans_when_asked_to() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await deployed(cluster)
        await cluster.admin.delete(DEPLOYMENTS, "web", "default", propagation="Orphan")
        await cluster.step(30.0)
        (left,) = await cluster.read(REPLICA_SETS, dict)
        assert not left["metadata"].get("ownerReferences")

    tell(story)


async def replicated(cluster: SimulatedCluster) -> None:
    """A ReplicationController with two pods."""
    controller = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 2, "template": objects.pod_template()},
    }
    await cluster.create(REPLICATION_CONTROLLERS, controller)
    await cluster.step(5.0)
    assert len(await cluster.read(PODS, dict)) == 2


async def remove(cluster: SimulatedCluster, propagation: Any) -> None:
    await cluster.admin.delete(REPLICATION_CONTROLLERS, "web", "default", propagation=propagation)


def test_pods_go_with_their_replication_controller() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await replicated(cluster)
        await remove(cluster, "Background")
        assert await cluster.find(REPLICATION_CONTROLLERS, "web") is None
        await cluster.step(60.0)
        assert not await cluster.read(PODS, dict)

    tell(story)


def test_a_replication_controller_waits_for_its_pods() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await replicated(cluster)
        held, _ = await cluster.read(PODS, dict)
        name = held["metadata"]["name"]
        hold = {"metadata": {"finalizers": ["example.com/hold"]}}
        await cluster.admin.patch(PODS, name, hold, "default")
        await remove(cluster, "Foreground")
        await cluster.step(60.0)
        waiting = await cluster.find(REPLICATION_CONTROLLERS, "web")
        assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
        assert len(await cluster.read(PODS, dict)) == 1
        let_go = {"metadata": {"finalizers": None}}
        await cluster.admin.patch(PODS, name, let_go, "default")
        await cluster.step(10.0)
        assert await cluster.find(REPLICATION_CONTROLLERS, "web") is None
        assert not await cluster.read(PODS, dict)

    tell(story)


def test_pods_of_a_replication_controller_stay_as_orphans_when_asked_to() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await replicated(cluster)
        await remove(cluster, "Orphan")
        await cluster.step(30.0)
        assert await cluster.find(REPLICATION_CONTROLLERS, "web") is None
        left = await cluster.read(PODS, dict)
        assert len(left) == 2
        assert not any(pod["metadata"].get("ownerReferences") for pod in left)

    tell(story)


def test_a_circle_of_owners_blocks_nothing() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        first = await owned(cluster, "one")
        second = await owned(cluster, "two", first)
        third = await owned(cluster, "three", second)
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "three",
            "uid": third["metadata"]["uid"],
            "blockOwnerDeletion": True,
        }
        change = {"metadata": {"ownerReferences": [reference]}}
        await cluster.admin.patch(CONFIG_MAPS, "one", change, "default")
        await cluster.step(5.0)
        await cluster.admin.delete(CONFIG_MAPS, "one", "default", propagation="Foreground")
        await cluster.step(10.0)
        for name in ("one", "two", "three"):
            assert await cluster.find(CONFIG_MAPS, name) is None, name

    tell(story)


def test_who_has_another_owner_outlives_the_one_that_waits() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        going = await owned(cluster, "going")
        staying = await owned(cluster, "staying")
        await owned(cluster, "alone", going)
        await owned(cluster, "shared", going, staying)
        await cluster.step(2.0)
        await cluster.admin.delete(CONFIG_MAPS, "going", "default", propagation="Foreground")
        await cluster.step(10.0)
        assert await cluster.find(CONFIG_MAPS, "going") is None
        assert await cluster.find(CONFIG_MAPS, "alone") is None
        shared = await cluster.find(CONFIG_MAPS, "shared")
        assert [it["name"] for it in shared["metadata"]["ownerReferences"]] == ["staying"]

    tell(story)


def test_an_owner_that_goes_last_waits_for_its_dependents() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        owner = await owned(cluster, "owner")
        await owned(cluster, "held", owner, finalizers=["example.com/hold"])
        await cluster.step(2.0)
        await cluster.admin.delete(CONFIG_MAPS, "owner", "default", propagation="Foreground")
        await cluster.step(10.0)
        waiting = await cluster.find(CONFIG_MAPS, "owner")
        assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
        change = {"metadata": {"finalizers": None}}
        await cluster.admin.patch(CONFIG_MAPS, "held", change, "default")
        await cluster.step(10.0)
        assert await cluster.find(CONFIG_MAPS, "owner") is None

    tell(story)
