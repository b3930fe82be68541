"""What only a cluster can get wrong: other writers, lost answers, lost members, damage, TLS."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.store.etcd_process import EtcdMember, leader_of

from sampan.foundation.pki.cluster import prepare
from sampan.foundation.settings import Instance
from sampan.store import etcd_cluster
from sampan.store import etcd_messages as messages
from sampan.store.contract import (
    Change,
    Compacted,
    Conflict,
    Entry,
    TooLarge,
    Unavailable,
)
from sampan.store.envelope import EncryptionRule, Envelopes, MissingKey
from sampan.store.etcd import FENCE, EtcdStore
from sampan.store.etcd_cluster import TRANSACTION, EtcdCluster, Unanswered


async def batches(watch, count: int) -> list[Change]:
    changes: list[Change] = []
    while len(changes) < count:
        changes += await asyncio.wait_for(anext(watch), 20)
    return changes


@asynccontextmanager
async def raw(etcd: EtcdMember) -> AsyncIterator[EtcdCluster]:
    """The cluster as others use it."""
    cluster = EtcdCluster((etcd.endpoint,), None)
    try:
        yield cluster
    finally:
        await cluster.close()


def test_two_stores_of_one_root_see_one_anothers_writes(open_etcd) -> None:
    async def main() -> None:
        async with open_etcd(b"/both") as one, open_etcd(b"/both") as other:
            watch = other.watch(b"", after=await other.revision())
            seen: list[bytes | None] = []

            async def follow() -> None:
                async for batch in watch:
                    seen.extend(change.value for change in batch)

            task = asyncio.create_task(follow())
            for number in range(20):
                entry = await one.put(b"k", b"%d" % number)
                assert await other.revision() == entry.revision
                await asyncio.sleep(0)
                assert seen[-1] == b"%d" % number
                assert await other.get(b"k") == entry
            with pytest.raises(Conflict):
                await other.put(b"k", b"", expected=0)
            await watch.aclose()
            await task

    asyncio.run(main())


def test_writes_below_other_roots_hold_nobody_up(etcd: EtcdMember, open_etcd) -> None:
    async def main() -> None:
        async with open_etcd() as store, raw(etcd) as others:
            watch = store.watch(b"/", after=await store.revision())
            for _ in range(3):
                await others.call(TRANSACTION, messages.put_request(b"/foreign", b"", None))
                newest = await asyncio.wait_for(store.revision(), 5)
                (fence,) = await asyncio.wait_for(anext(watch), 5)
                assert fence.key == FENCE
                assert fence.revision > newest
            entry = await store.put(b"/mine", b"")
            assert [change.key for change in await batches(watch, 1)] == [b"/mine"]
            assert [it.key for it in (await store.range(b"/m")).entries] == [b"/mine"]
            assert entry.revision == await store.revision()

    asyncio.run(main())


def test_all_who_ask_at_once_share_one_quorum_read(open_etcd) -> None:
    async def main() -> None:
        async with open_etcd() as store:
            await store.put(b"a", b"")  # from now on the watch stands
            reads: list[str] = []
            call = store._cluster.call

            async def counting(method: str, request: bytes) -> bytes:
                reads.append(method)
                return await call(method, request)

            store._cluster.call = counting  # type: ignore[method-assign]
            revisions = await asyncio.gather(*(store.revision() for _ in range(50)))
            assert len(set(revisions)) == 1
            assert len(reads) == 1

    asyncio.run(main())


class _LosesAnswers(EtcdCluster):
    """Carries requests out and forgets the answers of the first ones."""

    lost = 0

    async def attempt(self, method: str, request: bytes) -> bytes:
        answer = await super().attempt(method, request)
        if method == TRANSACTION and self.lost > 0:
            self.lost -= 1
            raise Unanswered("the answer was lost")
        return answer


def test_a_write_whose_answer_was_lost_is_done_once(etcd: EtcdMember, open_etcd) -> None:
    async def main() -> None:
        async with open_etcd() as store:
            cluster = _LosesAnswers((etcd.endpoint,), None)
            store._cluster, whole = cluster, store._cluster
            try:
                first = await store.revision()
                cluster.lost = 2
                made = await store.put(b"a", b"1", expected=0)
                assert made == Entry(b"a", b"1", first + 1, first + 1)
                cluster.lost = 1
                changed = await store.put(b"a", b"2", expected=made.revision)
                assert changed.revision == first + 2
                cluster.lost = 1
                with pytest.raises(Conflict):
                    await store.put(b"a", b"3", expected=made.revision)
                cluster.lost = 1
                with pytest.raises(Unavailable):
                    await store.put(b"a", b"4")
                cluster.lost = 1
                with pytest.raises(Unavailable, match="who has deleted"):
                    await store.delete(b"a", expected=first + 3)
                assert await store.get(b"a") is None
            finally:
                store._cluster = whole
                await cluster.close()

    asyncio.run(main())


def test_a_value_that_is_too_large_is_told_as_such(open_etcd) -> None:
    async def main() -> None:
        async with open_etcd() as store:
            with pytest.raises(TooLarge):
                await store.put(b"a", bytes(2 * 1024 * 1024))
            assert await store.get(b"a") is None

    asyncio.run(main())


def test_a_damaged_value_is_set_aside_and_the_rest_serves(
    etcd: EtcdMember, open_etcd, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with open_etcd(b"/damaged") as store, raw(etcd) as others:
            watch = store.watch(b"", after=await store.revision())
            for key in (b"a", b"b", b"c"):
                await store.put(key, key)
            bad = messages.put_request(b"/damagedb", b"\x01\x00bits flipped", None)
            await others.call(TRANSACTION, bad)
            found = await store.range(b"")
            assert [entry.key for entry in found.entries] == [b"a", b"c"]
            assert await store.get(b"b") is None
            assert list(store.quarantined) == [b"b"]
            assert [(it.key, it.value) for it in (await batches(watch, 4))[2:]] == [
                (b"c", b"c"),
                (b"b", None),
            ]
            await store.put(b"b", b"again")
            assert len((await store.range(b"")).entries) == 3

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert "damaged" in caplog.text


def test_values_are_encrypted_in_the_cluster_and_a_missing_key_is_told(
    etcd: EtcdMember, open_etcd
) -> None:
    envelopes = Envelopes((EncryptionRule(b"/core/secrets/", (b"k" * 32,)),))

    async def main() -> None:
        async with open_etcd(b"/secret", envelopes=envelopes) as store, raw(etcd) as others:
            await store.put(b"/core/secrets/a", b"nobody may read this")
            data = await others.call("/etcdserverpb.KV/Range", messages.range_request(b"/", b"0"))
            assert b"nobody may read" not in data
            assert (await store.get(b"/core/secrets/a")).value == b"nobody may read this"
        async with open_etcd(b"/secret") as keyless:
            with pytest.raises(MissingKey):
                await keyless.get(b"/core/secrets/a")
            with pytest.raises(MissingKey):
                await keyless.range(b"/")
            assert keyless.quarantined == {}

    asyncio.run(main())


def test_a_watch_goes_on_when_the_only_member_was_restarted(tmp_path: Path) -> None:
    async def main() -> None:
        member = EtcdMember(tmp_path / "etcd")
        member.start()
        member.wait()
        store = await EtcdStore.open((member.endpoint,))
        try:
            first = await store.put(b"a", b"before")
            watch = store.watch(b"", after=first.revision)
            member.kill()
            writing = asyncio.create_task(store.put(b"a", b"meanwhile", expected=first.revision))
            await asyncio.sleep(0.3)
            member.start()
            assert (await writing).revision == first.revision + 1
            await store.put(b"a", b"after")
            changes = await batches(watch, 2)
            assert [change.value for change in changes] == [b"meanwhile", b"after"]
        finally:
            await store.close()
            member.kill()

    asyncio.run(main())


def test_a_cluster_that_is_not_there_is_unavailable(impatient: None) -> None:
    async def main() -> None:
        with pytest.raises(Unavailable, match="does not answer"):
            await EtcdStore.open(("127.0.0.1:1",))

    asyncio.run(main())


@pytest.fixture
def three(tmp_path: Path) -> Iterator[list[EtcdMember]]:
    """Three members on loopback."""
    members = [EtcdMember(tmp_path / name, name) for name in ("one", "two", "three")]
    cluster = ",".join(member.cluster for member in members)
    try:
        for member in members:
            member.cluster = cluster
            member.start()
        for member in members:
            member.wait()
        yield members
    finally:
        for member in members:
            member.kill()


class _Load:
    """Writers that go on through every trouble, and what was acknowledged to them."""

    def __init__(self, store: EtcdStore) -> None:
        self._store = store
        self.acknowledged: dict[bytes, int] = {}
        self.longest_silence = 0.0
        self._last = asyncio.get_running_loop().time()
        self._more = asyncio.Event()
        self._wanted = 0

    async def write(self, writer: int) -> None:
        number = 0
        while True:
            key = b"/load/%d/%d" % (writer, number)
            try:
                entry = await self._store.put(key, key * 20, expected=0)
            except Unavailable:
                continue
            now = asyncio.get_running_loop().time()
            self.longest_silence = max(self.longest_silence, now - self._last)
            self._last = now
            self.acknowledged[key] = entry.revision
            number += 1
            if len(self.acknowledged) >= self._wanted:
                self._more.set()
            await asyncio.sleep(0.005)

    async def until(self, more: int) -> None:
        """Return when so many more writes are acknowledged."""
        self._wanted = len(self.acknowledged) + more
        self._more.clear()
        await asyncio.wait_for(self._more.wait(), 30)


@pytest.mark.parametrize("way", ["killed", "stopped"])
def test_writes_resume_when_the_leader_is_lost_and_none_is_lost(
    three: list[EtcdMember], way: str
) -> None:
    async def main() -> None:
        endpoints = tuple(member.endpoint for member in three)
        store = await EtcdStore.open(endpoints)
        leader = await leader_of(three)
        first = await store.revision()
        watch = store.watch(b"/load/", after=first)
        load = _Load(store)
        writers = [asyncio.create_task(load.write(number)) for number in range(8)]
        try:
            await load.until(200)
            if way == "killed":
                leader.kill()
            else:
                leader.pause(signal.SIGSTOP)
            await load.until(200)
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)
            newest = await store.revision()
            # What the cancelled writers had sent may still come; nobody was told of it.
            page = await store.range(b"/load/")
            found = {entry.key: entry.revision for entry in page.entries}
            assert {key: found.get(key) for key in load.acknowledged} == load.acknowledged
            told = await batches(watch, len(found))
            revisions = [change.revision for change in told]
            assert revisions == sorted(set(revisions))
            early = [change for change in told if change.revision <= page.revision]
            assert {change.key: change.revision for change in early} == found
            assert newest >= max(load.acknowledged.values())
            assert load.longest_silence < 10
            logging.getLogger("test").warning("silent for %.2f s", load.longest_silence)
        finally:
            await store.close()

    asyncio.run(main())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives up at the first failure."""
    monkeypatch.setattr(etcd_cluster, "TOTAL_SECONDS", 0.0)


def test_connections_are_encrypted_and_both_sides_show_who_they_are(
    tmp_path: Path, impatient: None
) -> None:
    credentials = prepare(tmp_path / "pki", Instance(), datetime.now(UTC))
    strangers = prepare(tmp_path / "other", Instance(), datetime.now(UTC))
    pair, client = credentials.api_server, credentials.administrator
    options = (
        f"--cert-file={pair.certificate}",
        f"--key-file={pair.key}",
        f"--trusted-ca-file={credentials.authority}",
        "--client-cert-auth",
    )

    async def main() -> None:
        member = EtcdMember(tmp_path / "etcd", options=options)
        member.start()
        member.wait()
        shown = {"certificate": client.certificate, "key": client.key}
        try:
            store = await EtcdStore.open(
                (member.endpoint,), authority=credentials.authority, **shown
            )
            assert (await store.put(b"a", b"1")).value == b"1"
            await store.close()
            for bad in (
                {"authority": credentials.authority},
                {"authority": strangers.authority, **shown},
                {},
            ):
                with pytest.raises(Unavailable):
                    await EtcdStore.open((member.endpoint,), **bad)
        finally:
            member.kill()

    asyncio.run(main())


def test_history_at_the_compaction_itself_is_whole_or_refused(open_etcd) -> None:
    async def main() -> None:
        async with open_etcd() as store:
            made = await store.put(b"a", b"1")
            await store.delete(b"a")
            last = await store.put(b"b", b"2")
            await store.compact(made.revision + 1)
            async with aclosing(store.watch(b"", after=made.revision)) as watch:
                with pytest.raises(Compacted):
                    await asyncio.wait_for(anext(watch), 5)
            (change,) = await batches(store.watch(b"", after=made.revision + 1), 1)
            assert change.revision == last.revision

    asyncio.run(main())
