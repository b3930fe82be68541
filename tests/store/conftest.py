"""The stores that the contract suite runs over."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from sampan.store.contract import Store
from sampan.store.memory import MemoryStore
from sampan.store.sqlite import SqliteStore

OpenStore = Callable[..., AbstractAsyncContextManager[Store]]


@pytest.fixture(params=["memory", "sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    """`async with open_store(watch_capacity=…) as store`, for each kind of store."""

    @contextlib.asynccontextmanager
    async def opened(**settings: int) -> AsyncIterator[Store]:
        store: Store
        if request.param == "memory":
            store = MemoryStore(**settings)
        else:
            store = await SqliteStore.open(tmp_path / "state" / "store.db", **settings)
        try:
            yield store
        finally:
            await store.close()

    return opened
