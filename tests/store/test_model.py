"""Random stories, told to a store and to a dict at once: they must agree at every revision."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.relative_store import RelativeStore

from sampan.store.contract import Change, Compacted, Conflict, Entry, Store
from sampan.store.memory import MemoryStore
from sampan.store.sqlite import SqliteStore

KEYS = st.sampled_from([b"a", b"a/b", b"a/c", b"b", b"\xff", b"\xff\xff"])
PREFIXES = st.sampled_from([b"", b"a", b"a/", b"\xff", b"zz"])
EXPECTED = st.sampled_from(["any", "absent", "current", "wrong"])
STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, EXPECTED),
    st.tuples(st.just("delete"), KEYS, EXPECTED),
    st.tuples(st.just("compact"), st.integers(0, 40)),
    st.tuples(st.just("range"), PREFIXES, st.integers(0, 3), st.integers(0, 40)),
    st.tuples(st.just("watch"), PREFIXES, st.integers(0, 40)),
    st.just(("reopen",)),
)


class Model:
    """Every state that ever was, by revision, and every change."""

    def __init__(self) -> None:
        self.states: list[dict[bytes, Entry]] = [{}]
        self.changes: list[Change] = []
        self.oldest = 0

    @property
    def revision(self) -> int:
        return len(self.states) - 1

    def write(self, key: bytes, value: bytes | None, expected: int | None) -> Change | str | None:
        current = self.states[-1].get(key)
        if expected is not None and expected != (current.revision if current else 0):
            return "conflict"
        if value is None and current is None:
            return None
        state, revision = dict(self.states[-1]), self.revision + 1
        created = current.created if current else revision
        if value is None:
            del state[key]
        else:
            state[key] = Entry(key, value, revision, created)
        self.states.append(state)
        self.changes.append(Change(key, value, revision, created, current))
        return self.changes[-1]


class Story:
    def __init__(self, path: Path | None, store: Store | None = None) -> None:
        self.path = path
        self.given = store
        self.model = Model()
        self.store: Store

    async def open(self) -> None:
        if self.path is not None:
            self.store = await SqliteStore.open(self.path)
        elif not self.model.changes:
            self.store = self.given or MemoryStore()

    async def tell(self, steps: list[tuple]) -> None:
        await self.open()
        for number, (verb, *arguments) in enumerate(steps):
            if verb in ("put", "delete"):
                await self.write(verb, *arguments, value=b"%d" % number)
            else:
                await getattr(self, verb)(*arguments)
            assert await self.store.revision() == self.model.revision
        await self.range(b"", 0, 0)
        await self.store.close()

    async def write(self, verb: str, key: bytes, expectation: str, *, value: bytes) -> None:
        current = self.model.states[-1].get(key)
        found = current.revision if current else 0
        expected = {"any": None, "absent": 0, "current": found, "wrong": found + 1}[expectation]
        wanted = self.model.write(key, value if verb == "put" else None, expected)
        try:
            if verb == "put":
                entry = await self.store.put(key, value, expected=expected)
                assert entry == self.model.states[-1][key]
            else:
                assert await self.store.delete(key, expected=expected) == wanted
        except Conflict as conflict:
            assert wanted == "conflict"
            assert conflict.current == current  # noqa: PT017
        assert await self.store.get(key) == self.model.states[-1].get(key)

    async def compact(self, revision: int) -> None:
        revision = min(revision, self.model.revision)
        await self.store.compact(revision)
        self.model.oldest = max(self.model.oldest, revision)

    async def range(self, prefix: bytes, limit: int, revision: int) -> None:
        at = min(revision, self.model.revision) or self.model.revision
        try:
            found = await self.store.range(prefix, limit=limit, revision=at)
        except Compacted:
            assert at < self.model.oldest
            return
        assert at >= self.model.oldest
        state = self.model.states[at]
        matching = [state[key] for key in sorted(state) if key.startswith(prefix)]
        assert list(found.entries) == (matching[:limit] if limit else matching)
        assert found.more == bool(limit and len(matching) > limit)

    async def watch(self, prefix: bytes, after: int) -> None:
        after = min(after, self.model.revision)
        wanted = [
            change
            for change in self.model.changes
            if change.revision > after and change.key.startswith(prefix)
        ]
        watch = self.store.watch(prefix, after=after)
        seen: list[Change] = []
        try:
            while len(seen) < len(wanted) or (after < self.model.oldest):
                seen += await asyncio.wait_for(anext(watch), 5)
        except Compacted:
            assert after < self.model.oldest
        else:
            assert seen == wanted
        await watch.aclose()  # type: ignore[attr-defined]

    async def reopen(self) -> None:
        if self.path is not None:
            await self.store.close()
            await self.open()


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_memory_agrees_with_the_model(steps: list[tuple]) -> None:
    asyncio.run(Story(None).tell(steps))


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_sqlite_agrees_with_the_model_across_restarts(steps: list[tuple]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(Story(Path(folder) / "store.db").tell(steps))


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_etcd_agrees_with_the_model(open_etcd, steps: list[tuple]) -> None:
    async def main() -> None:
        async with open_etcd() as store:
            await Story(None, RelativeStore(store, await store.revision())).tell(steps)

    asyncio.run(main())
