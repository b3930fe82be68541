"""What is in use is kept, and what is deleted goes in the end, on a whole cluster."""

import json
from typing import Any

from tests.scenarios.story import tell, until

from sampan.kubernetes.client.contract import NotFound
from sampan.kubernetes.kinds.resource import (
    CONFIG_MAPS,
    FLOW_SCHEMAS,
    NAMESPACES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    Resource,
)
from sampan.simulation.cluster import SimulatedCluster


async def get(cluster: SimulatedCluster, resource: Resource, *name: str) -> Any:
    try:
        return json.loads(await cluster.admin.get(resource, *name))
    except NotFound:
        return None


def claim(name: str) -> Any:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": name}, "spec": spec}


def pod(**spec: Any) -> Any:
    containers = [{"name": "main", "image": "hello:1"}]
    return {"metadata": {"name": "user"}, "spec": {"containers": containers, **spec}}


def test_a_claim_outlives_the_pod_that_uses_it_and_not_by_much() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await cluster.admin.create(PERSISTENT_VOLUME_CLAIMS, claim("data"), "default")
        await cluster.admin.create(PERSISTENT_VOLUME_CLAIMS, claim("spare"), "default")
        source = {"persistentVolumeClaim": {"claimName": "data"}}
        volumes = [{"name": "data", **source}]
        await cluster.admin.create(PODS, pod(volumes=volumes, nodeName="node-1"), "default")
        for name in ("data", "spare"):
            await cluster.admin.delete(PERSISTENT_VOLUME_CLAIMS, name, "default")

        async def spare_is_gone() -> bool:
            return await get(cluster, PERSISTENT_VOLUME_CLAIMS, "spare", "default") is None

        await until(cluster, spare_is_gone)
        kept = await get(cluster, PERSISTENT_VOLUME_CLAIMS, "data", "default")
        assert kept["metadata"]["deletionTimestamp"]
        await cluster.admin.delete(PODS, "user", "default", grace_seconds=0)

        async def data_is_gone() -> bool:
            return await get(cluster, PERSISTENT_VOLUME_CLAIMS, "data", "default") is None

        await until(cluster, data_is_gone)

    tell(story)


def test_a_volume_goes_once_it_is_released() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/srv"},
        }
        body = {"metadata": {"name": "disk"}, "spec": spec}
        await cluster.admin.create(PERSISTENT_VOLUMES, body)

        async def phase(value: str) -> None:
            status = {"status": {"phase": value}}
            await cluster.admin.patch(PERSISTENT_VOLUMES, "disk", status, subresource="status")

        await phase("Bound")
        await cluster.admin.delete(PERSISTENT_VOLUMES, "disk")
        await cluster.step(2)
        assert await get(cluster, PERSISTENT_VOLUMES, "disk") is not None
        await phase("Released")

        async def is_gone() -> bool:
            return await get(cluster, PERSISTENT_VOLUMES, "disk") is None

        await until(cluster, is_gone)

    tell(story)


def test_every_flow_schema_tells_of_its_level() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        async def told() -> bool:
            found = await cluster.admin.list(FLOW_SCHEMAS)
            statuses = [json.loads(item).get("status") or {} for item in found.items]
            verdicts = {
                (it["type"], it["status"]) for one in statuses for it in one.get("conditions", ())
            }
            return all(statuses) and verdicts == {("Dangling", "False")}

        await until(cluster, told)

    tell(story)


def test_a_namespace_tells_what_keeps_it() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await cluster.admin.create(NAMESPACES, {"metadata": {"name": "team"}})
        kept = {"metadata": {"name": "kept", "finalizers": ["example.com/mine"]}}
        await cluster.admin.create(CONFIG_MAPS, kept, "team")
        await cluster.admin.create(CONFIG_MAPS, {"metadata": {"name": "plain"}}, "team")
        await cluster.admin.delete(NAMESPACES, "team")

        async def conditions() -> Any:
            namespace = await get(cluster, NAMESPACES, "team")
            return {it["type"]: it for it in namespace["status"].get("conditions", ())}

        told = await until(cluster, conditions)
        assert {kind: (it["status"], it["reason"]) for kind, it in told.items()} == {
            "NamespaceDeletionDiscoveryFailure": ("False", "ResourcesDiscovered"),
            "NamespaceDeletionGroupVersionParsingFailure": ("False", "ParsedGroupVersions"),
            "NamespaceDeletionContentFailure": ("False", "ContentDeleted"),
            "NamespaceContentRemaining": ("True", "SomeResourcesRemain"),
            "NamespaceFinalizersRemaining": ("True", "SomeFinalizersRemain"),
        }
        assert told["NamespaceContentRemaining"]["message"] == (
            "Some resources are remaining: configmaps. has 1 resource instances"
        )
        assert told["NamespaceFinalizersRemaining"]["message"] == (
            "Some content in the namespace has finalizers remaining: "
            "example.com/mine in 1 resource instances"
        )
        release = {"metadata": {"finalizers": None}}
        await cluster.admin.patch(CONFIG_MAPS, "kept", release, "team")

        async def is_gone() -> bool:
            return await get(cluster, NAMESPACES, "team") is None

        await until(cluster, is_gone)

    tell(story)
