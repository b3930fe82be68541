"""A version's cache: in step where it can be, behind a queue where conversion waits."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
import pytest

from sampan.control.api.cache import version_cache
from sampan.control.api.cache.resource_cache import ResourceCache, TooOld
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.version_cache import VersionCache
from sampan.control.api.cache.watcher import Watcher
from sampan.kubernetes.kinds.core.configuration import CONFIG_MAP
from sampan.kubernetes.kinds.kind import ConversionFailed, Kind
from sampan.kubernetes.kinds.resource import Resource

OTHER = Resource("", "v2", "configmaps", "ConfigMap")


def second(value: bytes) -> bytes:
    return value.replace(b'"apiVersion":"v1"', b'"apiVersion":"v2"')


class Conversion:
    """Converts when it is let through; `failing` has it fail."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.failing = False
        self.batches: list[int] = []

    async def from_stored(self, values: Sequence[bytes]) -> list[bytes]:
        await self.open.wait()
        if self.failing:
            raise ConversionFailed("no")
        self.batches.append(len(values))
        return [second(value) for value in values]

    async def to_stored(self, value: bytes) -> bytes:
        return value


class World:
    """The cache of the stored version and one of another, fed by hand."""

    def __init__(self, **how: Any) -> None:
        self.revision = 0
        self.home = ResourceCache(CONFIG_MAP, 0)
        kind: Kind = msgspec.structs.replace(
            CONFIG_MAP, resource=OTHER, stored_as=CONFIG_MAP.resource, **how
        )
        self.version = VersionCache(self.home, kind, lambda: self.revision)

    def put(self, name: str, text: str | None) -> None:
        self.revision += 1
        tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": text}
        value = None if text is None else json.dumps(tree, separators=(",", ":")).encode()
        event = self.home.apply(f"d/{name}", value, self.revision)
        assert event is not None
        self.version.note(event)

    def shown(self) -> dict[str, tuple[str, str]]:
        found = (stored.decoded() for stored in self.version.cache.select(Selection()))
        return {it["metadata"]["name"]: (it["apiVersion"], it["data"]) for it in found}


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 10))


def test_what_converts_at_once_is_always_in_step() -> None:
    async def story() -> None:
        world = World(from_stored=second)
        world.put("a", "1")
        await world.version.caught_up()
        world.put("a", "2")
        world.put("b", "1")
        assert world.shown() == {"a": ("v2", "2"), "b": ("v2", "1")}
        world.put("a", None)
        assert world.shown() == {"b": ("v2", "1")}
        assert world.version.revision == world.revision

    play(story)


def test_revisions_are_those_of_the_stored_version() -> None:
    async def story() -> None:
        world = World(from_stored=second)
        world.put("a", "1")
        await world.version.caught_up()
        stored = world.version.cache.get("d/a")
        assert stored is not None
        assert stored.revision == 1
        assert stored.decoded()["metadata"]["resourceVersion"] == "1"
        with pytest.raises(TooOld):
            world.version.cache.events_after(0)

    play(story)


def test_changes_wait_until_somebody_asks() -> None:
    async def story() -> None:
        conversion = Conversion()
        world = World(conversion=conversion)
        for number in range(250):
            world.put(f"n{number}", "1")
        await world.version.caught_up()
        assert conversion.batches == [100, 100, 50]
        world.put("n0", "2")
        world.put("n0", "3")
        world.put("n1", None)
        assert world.version.revision == 250
        assert world.shown()["n0"] == ("v2", "1")
        await world.version.caught_up()
        assert conversion.batches[3:] == [2]
        assert world.shown()["n0"] == ("v2", "3")
        assert "n1" not in world.shown()
        assert world.version.revision == world.revision

    play(story)


def test_changes_while_it_is_filled_are_not_lost() -> None:
    async def story() -> None:
        conversion = Conversion()
        world = World(conversion=conversion)
        world.put("a", "1")
        conversion.open.clear()
        filling = asyncio.create_task(world.version.caught_up())
        await asyncio.sleep(0)
        world.put("a", "2")
        world.put("b", "1")
        conversion.open.set()
        await filling
        assert world.shown() == {"a": ("v2", "2"), "b": ("v2", "1")}
        events = world.version.cache.events_after(1)
        assert [event.revision for event in events] == [2, 3]

    play(story)


def test_a_watch_is_fed_without_anybody_asking() -> None:
    async def story() -> None:
        world = World(conversion=Conversion())
        await world.version.caught_up()
        watcher = Watcher(Selection())
        world.version.cache.add_watcher(watcher)
        for number in range(3):
            world.put("a", str(number))
        frames: list[Any] = []
        while len(frames) < 3:
            await watcher.wait(asyncio.get_running_loop().time() + 5)
            frames += [json.loads(line) for line in watcher.take(1 << 20).splitlines()]
        assert [(it["type"], it["object"]["data"]) for it in frames] == [
            ("ADDED", "0"),
            ("MODIFIED", "1"),
            ("MODIFIED", "2"),
        ]
        await world.version.close()

    play(story)


def test_a_failed_conversion_is_told_and_tried_again() -> None:
    async def story() -> None:
        conversion = Conversion()
        world = World(conversion=conversion)
        world.put("a", "1")
        conversion.failing = True
        with pytest.raises(ConversionFailed):
            await world.version.caught_up()
        conversion.failing = False
        await world.version.caught_up()
        conversion.failing = True
        world.put("a", "2")
        with pytest.raises(ConversionFailed):
            await world.version.caught_up()
        conversion.failing = False
        await world.version.caught_up()
        assert world.shown() == {"a": ("v2", "2")}

    play(story)


def test_a_version_nobody_asks_for_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version_cache, "LONGEST_QUEUE", 3)

    async def story() -> None:
        conversion = Conversion()
        world = World(conversion=conversion)
        await world.version.caught_up()
        for number in range(9):
            world.put("a", str(number))
        await world.version.caught_up()
        assert conversion.batches == [1]
        assert world.shown() == {"a": ("v2", "8")}

    play(story)


def test_what_cannot_be_read_in_a_version_is_left_out() -> None:
    def picky(value: bytes) -> bytes:
        if b'"data":"bad"' in value:
            raise ValueError("bad")
        return second(value)

    async def story() -> None:
        world = World(from_stored=picky)
        world.put("a", "bad")
        world.put("b", "good")
        await world.version.caught_up()
        world.put("c", "bad")
        world.put("b", "bad")
        assert world.shown() == {}

    play(story)
