"""Time that jumps."""

import asyncio
from datetime import timedelta

import pytest

from sampan.testing import virtual_clock


def test_a_day_passes_at_once_and_in_order() -> None:
    seen: list[str] = []

    async def at(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        seen.append(name)

    async def main() -> float:
        await asyncio.gather(at(86_400, "late"), at(1, "early"), at(3600, "between"))
        loop = virtual_clock.running_loop()
        assert loop.now() - virtual_clock.EPOCH < timedelta(days=1, microseconds=10)
        return loop.time()

    assert virtual_clock.run(main()) == pytest.approx(86_400)
    assert seen == ["early", "between", "late"]


def test_no_timer_fires_before_its_time() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in range(1, 200):
            when = loop.time() + number * 0.1
            fired = loop.create_future()
            loop.call_at(when, lambda fired=fired: fired.set_result(loop.time()))
            assert await fired >= when

    virtual_clock.run(main())


def test_waiting_for_nothing_is_an_error() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(virtual_clock.Stuck):
        virtual_clock.run(main())


def test_a_stall_makes_every_timer_late() -> None:
    async def main() -> float:
        loop = virtual_clock.running_loop()
        sleeping = asyncio.ensure_future(asyncio.sleep(1))
        await asyncio.sleep(0)
        loop.stall(60)
        await sleeping
        return loop.time()

    assert virtual_clock.run(main()) == pytest.approx(60)
