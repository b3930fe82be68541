"""Compaction, reads, watches and writes at once: whole or refused, never half."""

import asyncio
from contextlib import aclosing, suppress
from random import Random

from sampan.store.contract import Compacted, FutureRevision, Store

KEYS = [b"/k/%d" % number for number in range(12)]
WRITES = 400


class _History:
    """Every state that the store went through, told by a watch from the beginning."""

    def __init__(self) -> None:
        self.states: dict[int, dict[bytes, bytes]] = {0: {}}
        self.newest = 0
        self.grown = asyncio.Event()

    async def follow(self, store: Store) -> None:
        async with aclosing(store.watch(b"/k/", after=0)) as watch:
            async for changes in watch:
                for change in changes:
                    assert change.revision == self.newest + 1
                    state = dict(self.states[self.newest])
                    if change.value is None:
                        del state[change.key]
                    else:
                        state[change.key] = change.value
                    self.newest = change.revision
                    self.states[self.newest] = state
                self.grown.set()
                self.grown.clear()


async def _write(store: Store, random: Random) -> None:
    for number in range(WRITES):
        key = random.choice(KEYS)
        if random.random() < 0.3:
            await store.delete(key)
        else:
            await store.put(key, b"%d" % number)


async def _compact(store: Store, random: Random) -> None:
    while True:
        await asyncio.sleep(0.003)
        with suppress(FutureRevision):
            await store.compact(max(0, await store.revision() - random.randrange(12)))


async def _read(store: Store, history: _History, random: Random) -> None:
    while True:
        revision = max(0, history.newest - random.randrange(20))
        with suppress(Compacted):
            found = await store.range(b"/k/", revision=revision, limit=random.choice((0, 3)))
            while history.newest < found.revision:
                await history.grown.wait()
            state = history.states[found.revision]
            wanted = sorted(state.items())[: len(found.entries)]
            assert [(entry.key, entry.value) for entry in found.entries] == wanted
            assert found.more == (len(state) > len(wanted))
        await asyncio.sleep(0)


async def _watch(store: Store, history: _History, random: Random) -> None:
    """Short watches from here and there: what they tell leads from one state to the next."""
    while True:
        after = max(0, history.newest - random.randrange(20))
        state = dict(history.states[after])
        with suppress(Compacted, TimeoutError):
            async with asyncio.timeout(0.5), aclosing(store.watch(b"/k/", after=after)) as watch:
                for _ in range(3):
                    for change in await anext(watch):
                        assert change.revision == after + 1
                        after += 1
                        before = None if change.previous is None else change.previous.value
                        assert state.get(change.key) == before
                        if change.value is None:
                            del state[change.key]
                        else:
                            state[change.key] = change.value
        await asyncio.sleep(0)


def test_compaction_under_way_leaves_reads_and_watches_whole(open_store) -> None:
    async def main() -> None:
        random = Random(7)
        async with open_store() as store:
            history = _History()
            tasks = [
                asyncio.create_task(work)
                for work in (
                    history.follow(store),
                    _compact(store, random),
                    *(_read(store, history, random) for _ in range(3)),
                    *(_watch(store, history, random) for _ in range(3)),
                )
            ]
            await asyncio.wait_for(_write(store, random), 60)
            while history.newest < await store.revision():
                await asyncio.wait_for(history.grown.wait(), 5)
            ended = [task for task in tasks if task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in ended:
                task.result()
            assert ended == []
            final = {it.key: it.value for it in (await store.range(b"/k/")).entries}
            assert final == history.states[history.newest]

    asyncio.run(main())
