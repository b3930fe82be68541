"""Events: in order, from the past, until a time, and never waiting for who is slow."""

import asyncio
from collections.abc import AsyncIterator

from sampan.engine.events import Event, Events


class Clock:
    now = 1_000

    def __call__(self) -> int:
        return self.now


async def actions(events: AsyncIterator[Event], count: int) -> list[str]:
    found = []
    async for event in events:
        found.append(event.action)
        if len(found) == count:
            break
    return found


def test_listeners_hear_the_past_that_they_ask_for_and_then_the_present() -> None:
    async def body() -> None:
        events = Events(Clock())
        first = events.publish("container", "create", "1")
        second = events.publish("container", "start", "1", {"name": "x"})
        assert second.time == first.time + 1
        hearing = asyncio.ensure_future(actions(events.subscribe(since=second.time), 2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        events.publish("container", "die", "1")
        assert await hearing == ["start", "die"]

    asyncio.run(body())


def test_an_end_in_the_past_ends_at_once() -> None:
    async def body() -> None:
        clock = Clock()
        events = Events(clock)
        events.publish("image", "tag", "1")
        clock.now = 5_000
        events.publish("image", "untag", "1")
        assert await actions(events.subscribe(since=1, until=2_000), 9) == ["tag"]

    asyncio.run(body())


def test_who_does_not_listen_is_let_go() -> None:
    async def body() -> None:
        events = Events(Clock())
        listening = events.subscribe()
        hearing = asyncio.ensure_future(anext(listening))
        await asyncio.sleep(0)
        for _ in range(6_000):
            events.publish("container", "resize", "1")
        await hearing
        heard = 1 + len([event async for event in listening])
        assert 4_000 < heard < 6_000

    asyncio.run(body())
