"""The work queue: one worker a key, delays, backoff."""

import asyncio

import pytest

from sampan.kubernetes.client.queue import QueueClosed, WorkQueue
from sampan.testing import virtual_clock


def test_a_key_waits_once():
    async def story():
        queue = WorkQueue()
        for key in "aabab":
            queue.add(key)
        assert len(queue) == 2
        assert [await queue.get(), await queue.get()] == ["a", "b"]

    virtual_clock.run(story())


def test_a_key_that_is_worked_on_comes_again_after_done():
    async def story():
        queue = WorkQueue()
        queue.add("a")
        key = await queue.get()
        queue.add("a")
        assert len(queue) == 0
        queue.done(key)
        assert await queue.get() == "a"
        queue.done("a")
        assert len(queue) == 0

    virtual_clock.run(story())


def test_the_shortest_delay_counts_and_an_add_is_at_once():
    async def story():
        queue = WorkQueue()
        queue.add_after("a", 60)
        queue.add_after("a", 0.001)
        queue.add_after("a", 90)
        assert await asyncio.wait_for(queue.get(), 5) == "a"
        queue.done("a")
        queue.add_after("b", 60)
        queue.add("b")
        assert await queue.get() == "b"

    virtual_clock.run(story())


def test_backoff_doubles_until_it_is_forgotten(monkeypatch):
    async def story():
        delays = []
        queue = WorkQueue(first_delay=1, longest_delay=5)
        monkeypatch.setattr(queue, "add_after", lambda _key, seconds: delays.append(seconds))
        for _ in range(5):
            queue.retry("a")
        queue.forget("a")
        queue.retry("a")
        assert delays == [1, 2, 4, 5, 5, 1]

    virtual_clock.run(story())


def test_closing_wakes_every_worker():
    async def story():
        queue = WorkQueue()
        workers = [asyncio.create_task(queue.get()) for _ in range(3)]
        await asyncio.sleep(0)
        queue.add_after("a", 60)
        queue.close()
        for worker in workers:
            with pytest.raises(QueueClosed):
                await worker
        queue.add("b")
        with pytest.raises(QueueClosed):
            await queue.get()

    virtual_clock.run(story())


def test_a_worker_that_is_cancelled_loses_no_key():
    async def story():
        queue = WorkQueue()
        first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.add("a")
        first.cancel()
        assert await asyncio.wait_for(second, 5) == "a"
        with pytest.raises(asyncio.CancelledError):
            await first

    virtual_clock.run(story())
