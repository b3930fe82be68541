"""What `sampan.store.contract` promises, held against every store."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import pytest

from sampan.store.contract import (
    Change,
    Compacted,
    Conflict,
    Entry,
    FutureRevision,
    SlowWatcher,
    Store,
    StoreError,
    Unavailable,
)

Run = Callable[[Callable[[Store], Awaitable[None]]], None]


@pytest.fixture
def run(open_store) -> Run:
    """Runs a story on a new store."""

    def run_story(story: Callable[[Store], Awaitable[None]]) -> None:
        async def main() -> None:
            async with open_store() as store:
                await asyncio.wait_for(story(store), 20)

        asyncio.run(main())

    return run_story


def keys(entries: tuple[Entry, ...]) -> list[bytes]:
    return [entry.key for entry in entries]


def test_an_empty_store_is_at_revision_zero(run: Run) -> None:
    async def story(store: Store) -> None:
        assert await store.revision() == 0
        assert await store.get(b"a") is None
        assert await store.range(b"") == await store.range(b"", revision=0)
        assert (await store.range(b"")).entries == ()

    run(story)


def test_each_write_has_the_next_revision(run: Run) -> None:
    async def story(store: Store) -> None:
        assert await store.put(b"a", b"1") == Entry(b"a", b"1", 1, 1)
        assert await store.put(b"a", b"2") == Entry(b"a", b"2", 2, 1)
        assert await store.put(b"b", b"") == Entry(b"b", b"", 3, 3)
        deleted = await store.delete(b"a")
        assert deleted == Change(b"a", None, 4, 1, Entry(b"a", b"2", 2, 1))
        assert await store.put(b"a", b"3") == Entry(b"a", b"3", 5, 5)
        assert await store.revision() == 5
        assert await store.get(b"a") == Entry(b"a", b"3", 5, 5)

    run(story)


def test_deleting_nothing_changes_nothing(run: Run) -> None:
    async def story(store: Store) -> None:
        assert await store.delete(b"a") is None
        assert await store.delete(b"a", expected=0) is None
        assert await store.revision() == 0

    run(story)


@pytest.mark.parametrize("expected", [0, 1, 7])
def test_a_failed_expectation_changes_nothing_and_tells_the_current_entry(
    run: Run, expected: int
) -> None:
    async def story(store: Store) -> None:
        await store.put(b"a", b"1")
        current = await store.put(b"a", b"2")
        for attempt in (
            store.put(b"a", b"3", expected=expected),
            store.delete(b"a", expected=expected),
        ):
            with pytest.raises(Conflict) as caught:
                await attempt
            assert caught.value.current == current
        assert await store.get(b"a") == current
        assert await store.revision() == 2

    run(story)


def test_an_expectation_of_an_absent_key_fails_without_a_current_entry(run: Run) -> None:
    async def story(store: Store) -> None:
        for attempt in (store.put(b"a", b"1", expected=3), store.delete(b"a", expected=3)):
            with pytest.raises(Conflict) as caught:
                await attempt
            assert caught.value.current is None

    run(story)


def test_of_concurrent_creators_exactly_one_wins(run: Run) -> None:
    async def story(store: Store) -> None:
        outcomes = await asyncio.gather(
            *(store.put(b"a", str(n).encode(), expected=0) for n in range(20)),
            return_exceptions=True,
        )
        winners = [outcome for outcome in outcomes if isinstance(outcome, Entry)]
        losers = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
        assert (len(winners), len(losers)) == (1, 19)
        assert all(loser.current == winners[0] for loser in losers)
        assert await store.revision() == 1

    run(story)


def test_concurrent_writes_of_one_key_follow_one_another(run: Run) -> None:
    async def story(store: Store) -> None:
        watch = store.watch(b"", after=0)
        await store.put(b"a", b"first")
        await asyncio.gather(
            *(store.put(b"a", b"x") for _ in range(5)), store.delete(b"a"), store.put(b"a", b"y")
        )
        changes = await collect(watch, 8)
        for before, after in itertools.pairwise(changes):
            left = None if before.value is None else before.revision
            assert (after.previous.revision if after.previous else None) == left
        assert [change.revision for change in changes] == list(range(1, 9))

    run(story)


def test_a_range_is_in_key_order_and_ends_with_its_prefix(run: Run) -> None:
    async def story(store: Store) -> None:
        for key in (b"b/2", b"a/1", b"b/10", b"c", b"b", b"b/\xff\xff", b"b0"):
            await store.put(key, key)
        assert keys((await store.range(b"b/")).entries) == [b"b/10", b"b/2", b"b/\xff\xff"]
        assert keys((await store.range(b"b/\xff")).entries) == [b"b/\xff\xff"]
        assert len((await store.range(b"")).entries) == 7
        assert keys((await store.range(b"", after=b"b/\xff\xff")).entries) == [b"b0", b"c"]
        assert keys((await store.range(b"b/", after=b"a")).entries)[0] == b"b/10"
        assert (await store.range(b"b/", after=b"c")).entries == ()

    run(story)


def test_a_prefix_of_the_highest_bytes_has_no_end(run: Run) -> None:
    async def story(store: Store) -> None:
        await store.put(b"\xff\xff\x01", b"1")
        await store.put(b"\xfe", b"2")
        assert keys((await store.range(b"\xff\xff")).entries) == [b"\xff\xff\x01"]

    run(story)


def test_pages_of_a_range_at_one_revision_make_the_whole(run: Run) -> None:
    async def story(store: Store) -> None:
        for number in range(25):
            await store.put(b"k/%02d" % number, b"old")
        at = await store.revision()
        for number in range(0, 25, 2):
            await store.put(b"k/%02d" % number, b"new")
        await store.delete(b"k/03")
        await store.put(b"k/99", b"new")
        seen: list[Entry] = []
        more, after = True, b""
        while more:
            page = await store.range(b"k/", after=after, limit=10, revision=at)
            assert page.revision == at
            seen += page.entries
            more, after = page.more, page.entries[-1].key
        assert keys(tuple(seen)) == [b"k/%02d" % number for number in range(25)]
        assert {entry.value for entry in seen} == {b"old"}

    run(story)


def test_a_limit_that_fits_exactly_leaves_no_more(run: Run) -> None:
    async def story(store: Store) -> None:
        for key in (b"a", b"b", b"c"):
            await store.put(key, b"")
        assert not (await store.range(b"", limit=3)).more
        assert (await store.range(b"", limit=2)).more

    run(story)


def test_a_long_range_comes_whole(run: Run) -> None:
    async def story(store: Store) -> None:
        await asyncio.gather(*(store.put(b"k%04d" % n, bytes(3000)) for n in range(1500)))
        found = await store.range(b"k")
        assert keys(found.entries) == [b"k%04d" % n for n in range(1500)]
        assert len((await store.range(b"k", limit=777)).entries) == 777

    run(story)


def test_a_revision_that_is_not_committed_is_refused(run: Run) -> None:
    async def story(store: Store) -> None:
        with pytest.raises(FutureRevision):
            await store.range(b"", revision=1)
        with pytest.raises(FutureRevision):
            await store.compact(1)

    run(story)


async def collect(watch, count: int) -> list[Change]:
    changes: list[Change] = []
    while len(changes) < count:
        changes += await asyncio.wait_for(anext(watch), 10)
    return changes


def test_a_watch_replays_what_was_and_goes_on_with_what_comes(run: Run) -> None:
    async def story(store: Store) -> None:
        for number in range(500):
            await store.put(b"a/%d" % (number % 7), b"%d" % number)
            await store.put(b"b", b"")
        watch = store.watch(b"a/", after=100)
        writer = asyncio.gather(*(store.put(b"a/new", b"%d" % n) for n in range(30)))
        changes = await collect(watch, 450 + 30)
        await writer
        assert [change.revision for change in changes[:450]] == list(range(101, 1001, 2))
        assert [change.revision for change in changes[450:]] == list(range(1001, 1031))
        assert changes[-1].previous is not None
        assert all(change.key.startswith(b"a/") for change in changes)

    run(story)


def test_a_watch_from_the_future_sees_only_what_is_after_it(run: Run) -> None:
    async def story(store: Store) -> None:
        watch = store.watch(b"", after=2)
        for _ in range(4):
            await store.put(b"a", b"")
        assert [change.revision for change in await collect(watch, 2)] == [3, 4]

    run(story)


def test_a_watch_is_registered_before_it_is_iterated(run: Run) -> None:
    async def story(store: Store) -> None:
        watch = store.watch(b"", after=0)
        await store.put(b"a", b"1")
        await store.delete(b"a")
        changes = await collect(watch, 2)
        assert [change.value for change in changes] == [b"1", None]
        assert changes[1].previous == Entry(b"a", b"1", 1, 1)

    run(story)


def test_a_committed_write_is_told_to_watchers_before_its_writer(run: Run) -> None:
    async def story(store: Store) -> None:
        seen: list[int] = []
        watch = store.watch(b"", after=0)

        async def follow() -> None:
            async for batch in watch:
                seen.extend(change.revision for change in batch)

        follower = asyncio.create_task(follow())
        await asyncio.sleep(0)
        for number in range(1, 6):
            entry = await store.put(b"a", b"")
            await asyncio.sleep(0)
            assert seen[-1:] == [entry.revision] == [number]
        await watch.aclose()
        await follower

    run(story)


def test_closing_a_watch_ends_it_for_whoever_waits(run: Run) -> None:
    async def story(store: Store) -> None:
        watch = store.watch(b"", after=0)
        waiting = asyncio.create_task(anext(watch, None))
        await asyncio.sleep(0)
        await watch.aclose()
        assert await waiting is None
        await store.put(b"a", b"")
        assert await anext(watch, None) is None

    run(story)


def test_closing_the_store_ends_watches_and_refuses_writes(open_store) -> None:
    async def main() -> None:
        async with open_store() as store:
            watch = store.watch(b"", after=0)
        assert await anext(watch, None) is None
        with pytest.raises(Unavailable):
            await store.put(b"a", b"")

    asyncio.run(main())


def test_a_slow_watcher_is_cut_off_and_the_others_are_not(open_store) -> None:
    async def main() -> None:
        async with open_store(watch_capacity=10) as store:
            slow, quick = store.watch(b"", after=0), store.watch(b"", after=0)
            seen: list[Change] = []
            for _ in range(12):
                await store.put(b"a", b"")
                seen += await anext(quick)
            assert len(seen) == 12
            with pytest.raises(SlowWatcher):
                await anext(slow)
            with pytest.raises(StoreError):
                await anext(slow)

    asyncio.run(main())


def test_compaction_forgets_what_was_replaced_and_keeps_what_lives(run: Run) -> None:
    async def story(store: Store) -> None:
        await store.put(b"a", b"1")
        await store.put(b"b", b"1")
        await store.put(b"a", b"2")
        await store.delete(b"b")
        await store.put(b"c", b"1")
        await store.put(b"a", b"3")
        await store.compact(5)
        for revision in (1, 4):
            with pytest.raises(Compacted) as caught:
                await store.range(b"", revision=revision)
            assert (caught.value.requested, caught.value.oldest) == (revision, 5)
        at_five = await store.range(b"", revision=5)
        assert at_five.entries == (Entry(b"a", b"2", 3, 1), Entry(b"c", b"1", 5, 5))
        assert keys((await store.range(b"")).entries) == [b"a", b"c"]
        with pytest.raises(Compacted):
            await anext(store.watch(b"", after=4))
        (change,) = await anext(store.watch(b"", after=5))
        assert change == Change(b"a", b"3", 6, 1, Entry(b"a", b"2", 3, 1))

    run(story)


def test_compaction_twice_and_backwards_does_nothing_more(run: Run) -> None:
    async def story(store: Store) -> None:
        for number in range(3000):
            await store.put(b"k%d" % (number % 5), b"")
        await store.compact(2500)
        await store.compact(2500)
        await store.compact(10)
        assert len((await store.range(b"", revision=2500)).entries) == 5
        with pytest.raises(Compacted):
            await store.range(b"", revision=2499)

    run(story)


def test_revisions_go_on_after_everything_is_deleted_and_compacted(run: Run) -> None:
    async def story(store: Store) -> None:
        await store.put(b"a", b"")
        await store.delete(b"a")
        await store.compact(2)
        assert (await store.put(b"a", b"", expected=0)).revision == 3

    run(story)


def test_a_cancelled_writer_harms_nobody(run: Run) -> None:
    async def story(store: Store) -> None:
        writers = [asyncio.create_task(store.put(b"k%d" % n, b"")) for n in range(6)]
        await asyncio.sleep(0)
        writers[2].cancel()
        await asyncio.gather(*writers, return_exceptions=True)
        assert (await store.put(b"last", b"")).revision == await store.revision()
        assert await store.get(b"k5") is not None

    run(story)
