"""Custom resources in a whole cluster: owners and dependents, namespaces, restarts."""

import json
from typing import Any

from tests.scenarios.story import Story
from tests.scenarios.story import tell as tell_plainly

from sampan.kubernetes.client.contract import NotFound
from sampan.kubernetes.kinds.resource import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    Resource,
)
from sampan.simulation.cluster import SimulatedCluster

WIDGETS = Resource("example.com", "v1", "widgets", "Widget")
DEFINITION: dict[str, Any] = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }
        ],
    },
}


def tell(story: Story) -> None:
    async def with_widgets(cluster: SimulatedCluster) -> None:
        await cluster.admin.create(CUSTOM_RESOURCE_DEFINITIONS, DEFINITION)
        await cluster.step(0.2)
        await story(cluster)

    tell_plainly(with_widgets)


async def is_gone(cluster: SimulatedCluster, *where: Any) -> bool:
    try:
        await cluster.admin.get(*where)
    except NotFound:
        return True
    return False


async def gone(cluster: SimulatedCluster, *where: Any) -> None:
    for _ in range(100):
        if await is_gone(cluster, *where):
            return
        await cluster.step(0.1)
    raise AssertionError(f"{where} is still there")


def owned_by(owner: dict[str, Any], name: str) -> dict[str, Any]:
    metadata = owner["metadata"]
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    return {"metadata": {"name": name, "ownerReferences": [reference]}}


def test_what_a_custom_resource_owns_goes_with_it() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        widget = {"metadata": {"name": "parent"}}
        parent = json.loads(await cluster.admin.create(WIDGETS, widget, "default"))
        await cluster.admin.create(CONFIG_MAPS, owned_by(parent, "child"), "default")
        child = json.loads(await cluster.admin.get(CONFIG_MAPS, "child", "default"))
        await cluster.admin.create(WIDGETS, owned_by(child | _NAMED, "grandchild"), "default")
        await cluster.step(1)
        assert not await is_gone(cluster, CONFIG_MAPS, "child", "default")
        await cluster.admin.delete(WIDGETS, "parent", "default", propagation="Background")
        await gone(cluster, CONFIG_MAPS, "child", "default")
        await gone(cluster, WIDGETS, "grandchild", "default")

    tell(story)


_NAMED = {"apiVersion": "v1", "kind": "ConfigMap"}


def test_a_namespace_takes_its_custom_resources_with_it() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await cluster.admin.create(NAMESPACES, {"metadata": {"name": "team"}})
        await cluster.admin.create(WIDGETS, {"metadata": {"name": "w"}}, "team")
        await cluster.step(0.2)
        await cluster.admin.delete(NAMESPACES, "team")
        await gone(cluster, NAMESPACES, "team")
        assert await is_gone(cluster, WIDGETS, "w", "team")

    tell(story)


def test_a_definition_waits_for_the_finalizers_of_its_objects() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        held = {"metadata": {"name": "w", "finalizers": ["example.com/hold"]}}
        await cluster.admin.create(WIDGETS, held, "default")
        await cluster.admin.delete(CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.com")
        await cluster.step(1)
        definition = json.loads(
            await cluster.admin.get(CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.com")
        )
        conditions = {it["type"]: it["status"] for it in definition["status"]["conditions"]}
        assert conditions["Terminating"] == "True"
        release = {"metadata": {"finalizers": None}}
        await cluster.admin.patch(WIDGETS, "w", release, "default")
        await gone(cluster, CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.com")

    tell(story)
