"""What the controllers of identity do, on a whole cluster in virtual time."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from sampan.kubernetes.kinds.resource import CLUSTER_ROLES
from sampan.simulation.cluster import SimulatedCluster
from sampan.testing import virtual_clock

Story = Callable[[SimulatedCluster], Awaitable[None]]


def tell(story: Story) -> None:
    async def told() -> None:
        cluster = SimulatedCluster(1, 1)
        await cluster.start()
        try:
            await story(cluster)
        finally:
            await cluster.close()

    virtual_clock.run(told())


async def until(cluster: SimulatedCluster, found: Callable[[], Awaitable[Any]]) -> Any:
    """What `found` gives as soon as it is something; ten seconds at most."""
    for _ in range(100):
        got = await found()
        if got:
            return got
        await cluster.step(0.1)
    raise AssertionError("it did not come to be")


async def rules_of(cluster: SimulatedCluster, name: str) -> list[Any]:
    role = json.loads(await cluster.admin.get(CLUSTER_ROLES, name))
    return role.get("rules") or []


def test_the_roles_of_users_gather_what_operators_add() -> None:
    async def story(cluster: SimulatedCluster) -> None:
        await until(cluster, lambda: rules_of(cluster, "admin"))
        role = {
            "metadata": {
                "name": "widgets",
                "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"},
            },
            "rules": [{"verbs": ["get"], "apiGroups": ["example.com"], "resources": ["widgets"]}],
        }
        await cluster.admin.create(CLUSTER_ROLES, role)
        for name in ("view", "edit", "admin"):

            async def has_widgets(name: str = name) -> bool:
                return role["rules"][0] in await rules_of(cluster, name)

            await until(cluster, has_widgets)

    tell(story)
