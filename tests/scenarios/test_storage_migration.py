"""Objects of a definition whose stored version changes, and the migration that brings them over."""

from typing import Any

from tests.scenarios.story import tell, until

from sampan.kubernetes.kinds.resource import (
    CUSTOM_RESOURCE_DEFINITIONS,
    STORAGE_VERSION_MIGRATIONS,
    Resource,
)
from sampan.simulation.cluster import SimulatedCluster

WIDGETS = Resource("example.com", "v1", "widgets", "Widget")


def versions(stored: str) -> list[dict[str, Any]]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return [
        {
            "name": name,
            "served": True,
            "storage": name == stored,
            "schema": {"openAPIV3Schema": schema},
        }
        for name in ("v1", "v2")
    ]


async def define(cluster: SimulatedCluster) -> None:
    spec = {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": versions("v1"),
    }
    definition = {"metadata": {"name": "widgets.example.com"}, "spec": spec}
    await cluster.create(CUSTOM_RESOURCE_DEFINITIONS, definition)
    await cluster.step(0.5)


async def stored_versions(cluster: SimulatedCluster) -> list[str]:
    """The versions in which the objects lie in the store."""
    found = await cluster.store.range(b"/example.com/widgets/")
    return [entry.value[:40].split(b'"')[3].decode() for entry in found.entries]


async def outcome(cluster: SimulatedCluster) -> Any:
    status = (await cluster.find(STORAGE_VERSION_MIGRATIONS, "all", "")).get("status", {})
    true = [it["type"] for it in status.get("conditions", []) if it["status"] == "True"]
    return None if true in ([], ["Running"]) else true


async def migrate(cluster: SimulatedCluster, plural: str) -> Any:
    spec = {"resource": {"group": "example.com", "resource": plural}}
    await cluster.create(STORAGE_VERSION_MIGRATIONS, {"metadata": {"name": "all"}, "spec": spec})
    return await until(cluster, lambda: outcome(cluster))


def test_every_object_is_brought_into_the_stored_version() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await define(cluster)
        for number in range(30):
            widget = {"metadata": {"name": f"w-{number}", "namespace": "default"}, "size": number}
            await cluster.create(WIDGETS, widget)
        change = {"spec": {"versions": versions("v2")}}
        await cluster.admin.patch(CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.com", change)
        await cluster.step(1.0)
        assert set(await stored_versions(cluster)) == {"example.com/v1"}
        assert await migrate(cluster, "widgets") == ["Succeeded"]
        assert await stored_versions(cluster) == ["example.com/v2"] * 30
        widget = await cluster.find(WIDGETS, "w-7")
        assert (widget["apiVersion"], widget["size"]) == ("example.com/v1", 7)
        version = widget["metadata"]["resourceVersion"]
        await cluster.admin.patch(WIDGETS, "w-7", {"size": 7}, "default")
        again = await cluster.find(WIDGETS, "w-7")
        assert again["metadata"]["resourceVersion"] == version

    tell(story)


def test_what_is_not_served_cannot_be_migrated() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        assert await migrate(cluster, "gadgets") == ["Failed"]

    tell(story)
