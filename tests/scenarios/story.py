"""How a story is told: on a whole cluster of one node, in virtual time."""

from collections.abc import Awaitable, Callable
from typing import Any

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
    """What `found` gives as soon as it is something; sixty seconds at most."""
    for _ in range(600):
        got = await found()
        if got:
            return got
        await cluster.step(0.1)
    raise AssertionError("it did not come to be")
