"""Requests wait for seats, are sent away when too many wait, and always give back their seat."""

import asyncio
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from sampan.control.api.attributes import Attributes
from sampan.control.api.call import Call
from sampan.control.api.fairness.stage import LONGEST_WAIT_SECONDS, Fairness
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import Identity, Request, Response
from sampan.kubernetes.kinds.resource import FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS
from sampan.testing import virtual_clock

GET = Attributes("get", "/api/v1/namespaces/shop/pods/a", True, "", "v1", "pods", "", "shop", "a")
EVERYTHING = {
    "verbs": ["*"],
    "apiGroups": ["*"],
    "resources": ["*"],
    "namespaces": ["*"],
    "clusterScope": True,
}


class Configuration:
    """The cache, as far as the stage reads it."""

    def __init__(self) -> None:
        self.objects: dict[Any, dict[str, Any]] = {
            FLOW_SCHEMAS: {},
            PRIORITY_LEVEL_CONFIGURATIONS: {},
        }
        self._callback: Callable[[Any, Any], None] = lambda _kind, _event: None

    def on_event(self, callback: Callable[[Any, Any], None], *_resources: Any) -> None:
        self._callback = callback

    def of(self, resource: Any) -> Any:
        def select(_selection: Any) -> Iterator[Any]:
            for tree in self.objects[resource].values():
                yield SimpleNamespace(data=json.dumps(tree).encode())

        return SimpleNamespace(select=select)

    def put(self, resource: Any, name: str, **spec: Any) -> None:
        metadata = {"name": name, "uid": f"uid-of-{name}"}
        self.objects[resource][name] = {"metadata": metadata, "spec": spec}
        self._callback(SimpleNamespace(resource=resource), None)


def queued(**queuing: int) -> Any:
    return {"type": "Queue", "queuing": {"queues": 8, "handSize": 2, **queuing}}


class World:
    """The stage over one limited level, and a handler that ends when it is told."""

    def __init__(self, seats: int, response: Any) -> None:
        self.configuration = Configuration()
        self.limit(response)
        everyone = {"kind": "Group", "group": {"name": "*"}}
        self.configuration.put(
            FLOW_SCHEMAS,
            "by-user",
            priorityLevelConfiguration={"name": "level"},
            distinguisherMethod={"type": "ByUser"},
            rules=[{"subjects": [everyone], "resourceRules": [EVERYTHING]}],
        )
        self.stage = Fairness(self.configuration, seats, lambda _call: 1)  # type: ignore[arg-type]
        self.served: list[str] = []
        self.ending = asyncio.Event()

    def limit(self, response: Any, kind: str = "Limited") -> None:
        limited = {"nominalConcurrencyShares": 1, "limitResponse": response}
        self.configuration.put(PRIORITY_LEVEL_CONFIGURATIONS, "level", type=kind, limited=limited)

    def ask(self, user: str, subresource: str = "") -> "asyncio.Task[Response]":
        request = Request(method="GET", path=GET.path)
        attributes = msgspec.structs.replace(GET, subresource=subresource)
        call = Call(request, attributes, Identity(user, ("all",)))
        return asyncio.ensure_future(self.stage(call, self._handle))

    async def _handle(self, call: Call) -> Response:
        self.served.append(call.identity.name)
        await self.ending.wait()
        return Response()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_requests_wait_for_a_seat_and_then_are_served() -> None:
    async def story() -> None:
        world = World(2, queued())
        asked = [world.ask("ann") for _ in range(5)]
        await settle()
        assert len(world.served) == 2
        world.ending.set()
        answers = await asyncio.gather(*asked)
        assert [answer.status for answer in answers] == [200] * 5
        assert answers[0].headers == {
            "X-Kubernetes-PF-FlowSchema-UID": "uid-of-by-user",
            "X-Kubernetes-PF-PriorityLevel-UID": "uid-of-level",
        }

    asyncio.run(story())


def test_what_takes_long_takes_no_seat() -> None:
    async def story() -> None:
        world = World(1, queued())
        asked = [world.ask("ann", "proxy") for _ in range(5)]
        asked.append(world.ask("ann"))
        await settle()
        assert len(world.served) == 6
        world.ending.set()
        await asyncio.gather(*asked)

    asyncio.run(story())


def test_too_many_are_sent_away_and_told_when_to_come_back() -> None:
    async def story() -> None:
        world = World(1, queued(queueLengthLimit=1))
        asked = [world.ask("ann") for _ in range(4)]
        await settle()
        with pytest.raises(Refused) as refused:
            await asked[3]
        assert refused.value.status["code"] == 429
        assert refused.value.status["reason"] == "TooManyRequests"
        assert refused.value.headers == {"Retry-After": "1"}
        world.ending.set()
        await asyncio.gather(*asked[:3])

    asyncio.run(story())


def test_a_level_without_queues_sends_away_at_once() -> None:
    async def story() -> None:
        world = World(1, {"type": "Reject"})
        asked = [world.ask("ann"), world.ask("bob")]
        await settle()
        with pytest.raises(Refused):
            await asked[1]
        world.ending.set()
        assert (await asked[0]).status == 200

    asyncio.run(story())


def test_an_exempt_level_waits_for_nobody() -> None:
    async def story() -> None:
        world = World(1, queued())
        world.limit(queued(), kind="Exempt")
        asked = [world.ask("ann") for _ in range(20)]
        await settle()
        assert len(world.served) == 20
        world.ending.set()
        await asyncio.gather(*asked)

    asyncio.run(story())


def test_another_user_is_served_among_the_first_of_a_flood() -> None:
    async def story() -> None:
        world = World(1, queued(queues=64, handSize=4))
        flood = [world.ask("flood") for _ in range(100)]
        await settle()
        other = world.ask("ann")
        await settle()
        world.ending.set()
        await asyncio.gather(*flood, other)
        assert world.served.index("ann") <= 6

    asyncio.run(story())


@pytest.mark.parametrize("at_the_same_instant", [False, True])
def test_who_hangs_up_leaves_no_trace(at_the_same_instant: bool) -> None:
    async def story() -> None:
        world = World(1, queued())
        first, second, third = (world.ask("ann") for _ in range(3))
        await settle()
        if at_the_same_instant:
            world.ending.set()
            await first
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        world.ending.set()
        assert (await third).status == 200
        assert (await world.ask("ann")).status == 200
        assert second.cancelled() or not second.exception()
        assert world.stage._levels["level"].seats.in_use == 0

    asyncio.run(story())


def test_nobody_waits_for_ever() -> None:
    async def story() -> float:
        world = World(1, queued())
        held = world.ask("ann")
        await settle()
        with pytest.raises(Refused):
            await world.ask("ann")
        world.ending.set()
        await held
        return asyncio.get_running_loop().time()

    assert virtual_clock.run(story()) == pytest.approx(LONGEST_WAIT_SECONDS)


def test_new_limits_take_effect_and_who_waits_is_not_forgotten() -> None:
    async def story() -> None:
        world = World(1, queued())
        asked = [world.ask("ann") for _ in range(3)]
        await settle()
        world.limit(queued(queues=4))
        latest = world.ask("bob")
        await settle()
        assert world.served == ["ann"] * 3
        world.ending.set()
        await asyncio.gather(*asked, latest)

    asyncio.run(story())


def test_what_no_schema_matches_is_served() -> None:
    async def story() -> None:
        world = World(1, queued())
        world.configuration.objects[FLOW_SCHEMAS].clear()
        world.ending.set()
        assert (await world.ask("ann")).headers == {}

    asyncio.run(story())
