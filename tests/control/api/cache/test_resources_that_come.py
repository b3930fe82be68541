"""Resources that are served, and no longer served, while the cache runs."""

import asyncio
from typing import Any

import msgspec
import pytest

from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import store_key, stored_value
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.cache.watcher import Watcher
from sampan.kubernetes.kinds.core.configuration import CONFIG_MAP
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.resource import Resource
from sampan.store.memory import MemoryStore

WIDGETS = Resource("example.com", "v1", "widgets", "Widget")
WIDGET: Kind = msgspec.structs.replace(CONFIG_MAP, resource=WIDGETS)
PRESENT = 1200


async def put(store: MemoryStore, name: str, data: str) -> int:
    tree: dict[str, Any] = {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name, "labels": {"data": data}},
    }
    return (await store.put(store_key(WIDGET, f"d/{name}"), stored_value(tree))).revision


def labels_of(cache: WatchCache) -> dict[str, str]:
    found = cache.of(WIDGETS).select(Selection())
    return {stored.name: stored.labels["data"] for stored in found}


def test_nothing_is_lost_while_a_resource_is_loaded() -> None:
    async def story() -> None:
        store = MemoryStore()
        for number in range(PRESENT):
            await put(store, f"w{number:04}", "first")
        cache = WatchCache(store, [CONFIG_MAP])
        await cache.start()
        with pytest.raises(KeyError):
            cache.of(WIDGETS)
        adding = asyncio.create_task(cache.add([WIDGET]))
        last = 0
        for number in range(50):
            last = await put(store, f"w{number * 20:04}", "second")
            await asyncio.sleep(0)
        await store.delete(store_key(WIDGET, "d/w1199"))
        await adding
        await cache.reached(last + 1)
        wanted = {f"w{number:04}": "first" for number in range(PRESENT - 1)}
        wanted |= {f"w{number * 20:04}": "second" for number in range(50)}
        assert labels_of(cache) == wanted
        await put(store, "new", "third")
        await cache.reached(last + 2)
        assert labels_of(cache)["new"] == "third"
        await cache.close()

    asyncio.run(asyncio.wait_for(story(), 30))


def test_a_resource_that_goes_ends_its_watches() -> None:
    async def story() -> None:
        store = MemoryStore()
        cache = WatchCache(store, [CONFIG_MAP])
        await cache.start()
        await cache.add([WIDGET])
        watcher = Watcher(Selection())
        cache.of(WIDGETS).add_watcher(watcher)
        await cache.remove(WIDGETS)
        assert watcher.ended
        with pytest.raises(KeyError):
            cache.of(WIDGETS)
        await cache.remove(WIDGETS)
        await put(store, "a", "x")
        await cache.add([WIDGET])
        assert labels_of(cache) == {"a": "x"}
        await cache.close()

    asyncio.run(asyncio.wait_for(story(), 30))
