"""Watches: every change of what they select, once and in order, from where they begin."""

import asyncio
from collections.abc import Callable

from tests.conformance.requests import MAPS, config_map, deleted, patched, read, watch
from tests.control.api.conftest import Api

Play = Callable[..., None]


def test_changes_of_config_maps_are_observed(play: Play) -> None:
    async def story(api: Api) -> None:
        a = await watch(api, MAPS, labelSelector="of=a")
        b = await watch(api, MAPS, labelSelector="of=b")
        both = await watch(api, MAPS, labelSelector="of in (a,b)")
        for name in ("a", "b"):
            await api.create(MAPS, config_map(name, of=name))
            await patched(api, f"{MAPS}/{name}", {"data": {"mutation": "1"}})
            await patched(api, f"{MAPS}/{name}", {"data": {"mutation": "2"}})
            await deleted(api, f"{MAPS}/{name}")
        of_a = [(kind, "a") for kind in ("ADDED", "MODIFIED", "MODIFIED", "DELETED")]
        of_b = [(kind, "b") for kind, _ in of_a]
        assert await a.told(4) == of_a
        assert await b.told(4) == of_b
        assert await both.told(8) == of_a + of_b
        assert await a.is_silent()

    play(story)


def test_a_watch_begins_after_the_version_it_names(play: Play) -> None:
    async def story(api: Api) -> None:
        await api.create(MAPS, config_map("a", of="test"))
        first = await patched(api, f"{MAPS}/a", {"data": {"mutation": "1"}})
        await patched(api, f"{MAPS}/a", {"data": {"mutation": "2"}})
        await deleted(api, f"{MAPS}/a")
        version = first["metadata"]["resourceVersion"]
        stream = await watch(api, MAPS, labelSelector="of=test", resourceVersion=version)
        modified = await stream.next()
        assert (modified["type"], modified["object"]["data"]["mutation"]) == ("MODIFIED", "2")
        assert await stream.types(1) == ["DELETED"]

    play(story)


def test_a_watch_goes_on_where_another_ended(play: Play) -> None:
    async def story(api: Api) -> None:
        stream = await watch(api, MAPS, labelSelector="of=test")
        await api.create(MAPS, config_map("a", of="test"))
        await patched(api, f"{MAPS}/a", {"data": {"mutation": "1"}})
        assert await stream.types(1) == ["ADDED"]
        version = (await stream.next())["object"]["metadata"]["resourceVersion"]
        await stream.close()
        await patched(api, f"{MAPS}/a", {"data": {"mutation": "2"}})
        await deleted(api, f"{MAPS}/a")
        stream = await watch(api, MAPS, labelSelector="of=test", resourceVersion=version)
        modified = await stream.next()
        assert (modified["type"], modified["object"]["data"]["mutation"]) == ("MODIFIED", "2")
        assert await stream.types(1) == ["DELETED"]

    play(story)


def test_what_is_selected_no_longer_is_deleted(play: Play) -> None:
    async def story(api: Api) -> None:
        stream = await watch(api, MAPS, labelSelector="of=test")
        await api.create(MAPS, config_map("a", of="test"))
        await patched(api, f"{MAPS}/a", {"data": {"mutation": "1"}})
        await patched(api, f"{MAPS}/a", {"metadata": {"labels": {"of": "other"}}})
        assert await stream.types(3) == ["ADDED", "MODIFIED", "DELETED"]
        await patched(api, f"{MAPS}/a", {"data": {"mutation": "2"}})
        assert await stream.is_silent()
        await patched(api, f"{MAPS}/a", {"metadata": {"labels": {"of": "test"}}})
        added = await stream.next()
        assert (added["type"], added["object"]["data"]["mutation"]) == ("ADDED", "2")
        await patched(api, f"{MAPS}/a", {"data": {"mutation": "3"}})
        await deleted(api, f"{MAPS}/a")
        assert await stream.types(2) == ["MODIFIED", "DELETED"]

    play(story)


def test_concurrent_watches_see_the_same_order(play: Play) -> None:
    async def story(api: Api) -> None:
        version = (await read(api, MAPS))["metadata"]["resourceVersion"]

        async def produce(number: int) -> None:
            path = f"{MAPS}/m-{number}"
            await api.create(MAPS, config_map(f"m-{number}"))
            await patched(api, path, {"data": {"x": "y"}})
            await deleted(api, path)

        early = [await watch(api, MAPS, resourceVersion=version) for _ in range(5)]
        await asyncio.gather(*(produce(number) for number in range(20)))
        late = [await watch(api, MAPS, resourceVersion=version) for _ in range(5)]
        seen = []
        for stream in (*early, *late):
            events = [await stream.next() for _ in range(60)]
            seen.append([it["object"]["metadata"]["resourceVersion"] for it in events])
        assert all(order == seen[0] for order in seen)
        assert sorted(seen[0], key=int) == seen[0]

    play(story)
