"""The life of a cluster in stories, each told with several seeds.

A story that fails names its seed; `pytest tests/scenarios -k 'STORY and SEED'` tells it again,
exactly as it was.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sampan.kubernetes.kinds.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICES,
)
from sampan.simulation.cluster import SimulatedCluster
from sampan.simulation.invariants import State
from sampan.simulation.network import PERFECT, Faults
from sampan.testing import objects, virtual_clock

Story = Callable[[SimulatedCluster], Awaitable[None]]
HEALING_SECONDS = 20.0


def tell(story: Story, seed: int, nodes: int = 3) -> None:
    """Tell a story to the end, on a cluster of its own."""

    async def told() -> None:
        cluster = SimulatedCluster(seed, nodes)
        await cluster.start()
        try:
            await cluster.until(ready_nodes(nodes), 10, "the nodes are ready")
            await story(cluster)
        finally:
            await cluster.close()

    try:
        virtual_clock.run(told())
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise


def ready_nodes(number: int) -> Callable[[State], bool]:
    return lambda state: (
        len(state.nodes) == number and not any(node.spec.taints for node in state.nodes)
    )


def per_node(state: State) -> list[int]:
    """How many active pods each node has."""
    bound = [pod.spec.node_name for pod in state.pods if pod.is_active]
    return sorted(bound.count(node.metadata.name) for node in state.nodes)


async def deploy(cluster: SimulatedCluster, replicas: int = 3, **spec: Any) -> None:
    await cluster.create(DEPLOYMENTS, objects.deployment(replicas=replicas, **spec))
    await cluster.create(SERVICES, objects.service())
    await cluster.until_rolled_out()


async def patch(cluster: SimulatedCluster, spec: dict[str, Any], name: str = "web") -> None:
    await cluster.admin.patch(DEPLOYMENTS, name, {"spec": spec}, "default", kind="strategic")


def version(number: str) -> dict[str, Any]:
    container = {"name": "main", "image": f"example:{number}"}
    return {"template": {"spec": {"containers": [container]}}}


async def uids(cluster: SimulatedCluster) -> set[str]:
    return {pod.metadata.uid for pod in (await cluster.state()).pods}


@pytest.mark.parametrize("seed", range(8))
def test_replicas_come_up_spread_and_scale_to_thirty_and_back(seed: int) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        cluster.watchman.faultless = True
        await deploy(cluster)
        assert per_node(await cluster.state()) == [1, 1, 1]
        await patch(cluster, {"replicas": 30})
        await cluster.until_rolled_out()
        assert per_node(await cluster.state()) == [10, 10, 10]
        await patch(cluster, {"replicas": 3})
        await cluster.until_rolled_out()
        assert per_node(await cluster.state()) == [1, 1, 1]

    tell(story, seed)


@pytest.mark.parametrize("seed", range(12))
def test_an_update_keeps_the_application_available_and_can_be_undone(seed: int) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        cluster.watchman.faultless = True
        await deploy(cluster, 5)
        await patch(cluster, version("2"))
        await cluster.until_rolled_out()
        before = await cluster.read(REPLICA_SETS, dict)
        first = next(each for each in before if each["spec"]["replicas"] == 0)
        await patch(cluster, version("1"))
        await cluster.until_rolled_out()
        after = {each["metadata"]["name"]: each for each in await cluster.read(REPLICA_SETS, dict)}
        assert after.keys() == {each["metadata"]["name"] for each in before}
        again = after[first["metadata"]["name"]]
        assert again["spec"]["replicas"] == 5
        assert again["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"

    tell(story, seed)


@pytest.mark.parametrize("seed", range(12))
def test_a_dead_node_is_healed_around_and_comes_back_without_doubles(seed: int) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await deploy(cluster, 6)
        victim = cluster.nodes["node-2"]
        await victim.lose_power()
        took = await cluster.until_rolled_out(besides=("node-2",), seconds=HEALING_SECONDS)
        assert took <= HEALING_SECONDS
        await victim.start()
        await cluster.until(ready_nodes(3), 10, "the node is back")
        await cluster.until(lambda state: len(state.pods) == 6, 20, "the old pods are gone")
        assert sum(len(node.running) for node in cluster.nodes.values()) == 6

    tell(story, seed)


@pytest.mark.parametrize("seed", range(8))
def test_an_agent_that_restarts_in_time_changes_nothing(seed: int) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await deploy(cluster)
        before = await uids(cluster)
        for node in cluster.nodes.values():
            await node.crash()
            await cluster.watch_for(1.5)
            await node.start()
            await cluster.watch_for(2)
        await cluster.watch_for(10)
        assert await uids(cluster) == before
        await cluster.until_rolled_out()

    tell(story, seed)


@pytest.mark.parametrize("seed", range(8))
def test_a_partition_heals_into_one_of_each(seed: int) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await deploy(cluster, 4)
        cluster.network.cut("node-3")
        await cluster.until_rolled_out(besides=("node-3",), seconds=HEALING_SECONDS)
        cluster.network.mend("node-3")
        await cluster.until(ready_nodes(3), 10, "the node is back")
        await cluster.until(lambda state: len(state.pods) == 4, 20, "the old pods are gone")
        assert sum(len(node.running) for node in cluster.nodes.values()) == 4

    tell(story, seed)


@pytest.mark.parametrize("seed", range(6))
def test_when_every_node_falls_silent_nobody_is_evicted(seed: int) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await deploy(cluster)
        before = await uids(cluster)
        for name in cluster.nodes:
            cluster.network.cut(name)
        await cluster.watch_for(30)
        assert await uids(cluster) == before
        for name in cluster.nodes:
            cluster.network.mend(name)
        await cluster.until(ready_nodes(3), 10, "the nodes are back")
        await cluster.until_rolled_out()
        assert await uids(cluster) == before

    tell(story, seed)


@pytest.mark.parametrize("seed", range(6))
def test_a_server_that_was_stalled_or_restarted_evicts_nobody(seed: int) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await deploy(cluster)
        before = await uids(cluster)
        for seconds in (3.5, 60.0, 3600.0):
            cluster.loop.stall(seconds)
            await cluster.watch_for(8)
        await cluster.stop_server()
        await asyncio.sleep(cluster.random.random() * 60)
        await cluster.start_server()
        await cluster.watch_for(10)
        assert await uids(cluster) == before
        assert all(not node.spec.taints for node in (await cluster.state()).nodes)

    tell(story, seed)


@pytest.mark.parametrize("seed", range(8))
def test_a_namespace_takes_everything_in_it_along(seed: int) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        metadata = {"name": "team"}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        await cluster.create(NAMESPACES, body)
        await cluster.create(DEPLOYMENTS, objects.deployment("web", 4, namespace="team"))
        await cluster.create(SERVICES, objects.service("web", namespace="team"))
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s", "namespace": "team"},
        }
        await cluster.create(SECRETS, secret)
        await cluster.until_rolled_out()
        assert await cluster.find(CONFIG_MAPS, "kube-root-ca.crt", "team")
        await cluster.admin.delete(NAMESPACES, "team")
        for _ in range(200):
            await cluster.step()
            if await cluster.find(NAMESPACES, "team", "") is None:
                break
        assert await cluster.find(NAMESPACES, "team", "") is None
        for resource in (
            PODS,
            REPLICA_SETS,
            DEPLOYMENTS,
            SERVICES,
            SECRETS,
            ENDPOINT_SLICES,
            CONFIG_MAPS,
        ):
            assert not (await cluster.admin.list(resource, "team")).items
        assert not any(node.running for node in cluster.nodes.values())

    tell(story, seed)


@pytest.mark.parametrize("propagation", ["Background", "Foreground", "Orphan"])
@pytest.mark.parametrize("seed", range(3))
def test_what_a_deployment_owned_goes_with_it_or_stays(seed: int, propagation: Any) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await deploy(cluster)
        before = await uids(cluster)
        await cluster.admin.delete(DEPLOYMENTS, "web", "default", propagation=propagation)
        if propagation == "Orphan":
            await cluster.watch_for(5)
            (orphan,) = (await cluster.state()).replica_sets
            assert orphan.metadata.owner_references == ()
            assert await uids(cluster) == before
            return
        await cluster.until(
            lambda state: not (state.pods or state.replica_sets or state.deployments),
            20,
            "all gone",
        )

    tell(story, seed)


@pytest.mark.parametrize("seed", range(10))
def test_bad_wires_make_nothing_twice(seed: int) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        cluster.network.faults = Faults(
            delay=0.2, watch_delay=0.5, lost_requests=0.05, lost_answers=0.15
        )
        await deploy(cluster, 6)
        await patch(cluster, version("2"))
        await cluster.watch_for(5)
        await patch(cluster, {"replicas": 9})
        await cluster.until_rolled_out(seconds=120)
        cluster.network.faults = PERFECT
        await cluster.until(lambda state: len(state.pods) == 9, 20, "nothing is left over")

    tell(story, seed)


@pytest.mark.parametrize("seed", range(14))
def test_a_storm_passes(seed: int) -> None:
    """A minute of whatever comes, then peace: everything is as it was last asked for."""

    async def story(cluster: SimulatedCluster) -> None:
        random = cluster.random
        await deploy(cluster)
        names = list(cluster.nodes)
        for _ in range(20):
            name = random.choice(names)
            node = cluster.nodes[name]
            match random.randrange(9):
                case 0:
                    await patch(cluster, {"replicas": random.randrange(1, 12)})
                case 1:
                    await patch(cluster, version(str(random.randrange(1, 4))))
                case 2:
                    await node.lose_power()
                case 3:
                    await node.crash()
                case 4 | 5:
                    await (node.crash() if node.is_up else node.start())
                case 6:
                    cluster.network.cut(name)
                case 7:
                    cluster.network.mend(name)
                case 8:
                    cluster.network.faults = Faults(
                        delay=0.1, watch_delay=0.3, lost_answers=random.random() * 0.1
                    )
            await cluster.watch_for(random.random() * 6)
        cluster.network.faults = PERFECT
        for name, node in cluster.nodes.items():
            cluster.network.mend(name)
            if not node.is_up:
                await node.start()
        await cluster.until(ready_nodes(len(names)), 20, "the nodes are back")
        await cluster.until_rolled_out()
        await cluster.until(
            lambda state: len(state.pods) == state.deployments[0].spec.replicas, 30, "no doubles"
        )

    tell(story, seed, nodes=4)


@pytest.mark.parametrize("seed", range(5))
def test_what_fits_nowhere_waits_and_goes_when_there_is_room(seed: int) -> None:
    async def story(cluster: SimulatedCluster) -> None:
        resources = {"requests": {"cpu": "2500m"}}
        container = {"name": "main", "image": "example:1", "resources": resources}
        body = objects.deployment(replicas=4)
        body["spec"]["template"]["spec"]["containers"] = [container]
        await cluster.create(DEPLOYMENTS, body)
        await cluster.watch_for(5)
        waiting = [
            each for each in await cluster.read(PODS, dict) if "nodeName" not in each["spec"]
        ]
        (condition,) = waiting[0]["status"]["conditions"]
        assert condition["message"] == "0/3 nodes are available: 3 Insufficient cpu."
        await patch(cluster, {"replicas": 3})
        await cluster.until_rolled_out()
        assert per_node(await cluster.state()) == [1, 1, 1]

    tell(story, seed)
