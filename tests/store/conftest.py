"""The stores that the contract suite runs over."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from tests.store.etcd_process import EtcdMember
from tests.store.relative_store import RelativeStore

from sampan.store.contract import Store
from sampan.store.etcd import EtcdStore
from sampan.store.memory import MemoryStore
from sampan.store.sqlite import SqliteStore

OpenStore = Callable[..., AbstractAsyncContextManager[Store]]
OpenEtcd = Callable[..., AbstractAsyncContextManager[EtcdStore]]
_roots = itertools.count()


@pytest.fixture(scope="session")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdMember]:
    """A cluster of one member that all tests share, each with a root of its own."""
    member = EtcdMember(tmp_path_factory.mktemp("etcd"))
    member.start()
    try:
        member.wait()
        yield member
    finally:
        member.kill()


@pytest.fixture(scope="session")
def open_etcd(etcd: EtcdMember) -> OpenEtcd:
    """`async with open_etcd() as store`, over an empty root unless one is given."""

    @contextlib.asynccontextmanager
    async def opened(root: bytes = b"", **settings: int) -> AsyncIterator[EtcdStore]:
        root = root or b"/test-%d" % next(_roots)
        store = await EtcdStore.open((etcd.endpoint,), root=root, **settings)
        try:
            yield store
        finally:
            await store.close()

    return opened


@pytest.fixture(params=["memory", "sqlite", "etcd"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    """`async with open_store(watch_capacity=…) as store`, for each kind of store."""

    @contextlib.asynccontextmanager
    async def opened(**settings: int) -> AsyncIterator[Store]:
        store: Store
        if request.param == "etcd":
            open_etcd: OpenEtcd = request.getfixturevalue("open_etcd")
            async with open_etcd(**settings) as remote:
                yield RelativeStore(remote, await remote.revision())
            return
        if request.param == "memory":
            store = MemoryStore(**settings)
        else:
            store = await SqliteStore.open(tmp_path / "state" / "store.db", **settings)
        try:
            yield store
        finally:
            await store.close()

    return opened
