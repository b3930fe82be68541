"""Secrets in the store's file: encrypted, under the right key, and anew after a rotation."""

import asyncio
from pathlib import Path

import pytest

from sampan.store.contract import Compacted
from sampan.store.envelope import EncryptionRule, Envelopes, MissingKey
from sampan.store.renewal import renew
from sampan.store.sqlite import SqliteStore

PREFIX = b"/core/secrets/"
KEY = PREFIX + b"shop/password"
OLD, NEW = b"o" * 32, b"n" * 32
SECRET = b'{"data":{"password":"aHVudGVyMg=="}}'


def envelopes(*keys: bytes) -> Envelopes:
    return Envelopes((EncryptionRule(PREFIX, keys),))


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def test_no_file_holds_a_secrets_text(tmp_path: Path) -> None:
    folder = tmp_path / "server"

    async def main() -> None:
        store = await SqliteStore.open(folder / "store.db", envelopes=envelopes(NEW))
        entry = await store.put(KEY, SECRET)
        await store.put(b"/core/configmaps/shop/plain", b"may be read by anyone")
        await store.put(KEY, SECRET + b" ", expected=entry.revision)
        assert b"aHVudGVyMg" not in everything_in(folder)
        assert b"may be read by anyone" in everything_in(folder)
        await store.close()
        assert b"aHVudGVyMg" not in everything_in(folder)
        store = await SqliteStore.open(folder / "store.db", envelopes=envelopes(NEW))
        assert (await store.get(KEY)).value == SECRET + b" "
        (first, _, second) = await anext(store.watch(b"", after=0))
        assert (first.value, second.previous.value) == (SECRET, SECRET)
        await store.close()

    asyncio.run(main())


@pytest.mark.parametrize("wrong", [envelopes(), envelopes(OLD)])
def test_a_wrong_or_missing_key_is_told_and_sets_nothing_aside(
    tmp_path: Path, wrong: Envelopes
) -> None:
    async def main() -> None:
        store = await SqliteStore.open(tmp_path / "store.db", envelopes=envelopes(NEW))
        await store.put(KEY, SECRET)
        await store.put(b"/other", b"plain")
        await store.close()
        store = await SqliteStore.open(tmp_path / "store.db", envelopes=wrong)
        for attempt in (store.get(KEY), store.range(PREFIX), anext(store.watch(b"", after=0))):
            with pytest.raises(MissingKey, match="encryption configuration"):
                await attempt
        with pytest.raises(MissingKey):
            await store.put(KEY, b"overwritten", expected=1)
        assert (await store.get(b"/other")).value == b"plain"
        assert store.quarantined == {}
        await store.close()
        store = await SqliteStore.open(tmp_path / "store.db", envelopes=envelopes(NEW))
        assert (await store.get(KEY)).value == SECRET
        await store.close()

    asyncio.run(main())


def test_after_a_rotation_nothing_needs_the_old_key(tmp_path: Path) -> None:
    async def main() -> None:
        keys = envelopes(OLD)
        store = await SqliteStore.open(tmp_path / "store.db", envelopes=keys)
        for number in range(250):
            await store.put(KEY + b"%d" % number, SECRET)
        await store.put(b"/other", b"plain")
        keys.use((EncryptionRule(PREFIX, (NEW, OLD)),))
        assert await renew(store, [PREFIX]) == 250
        assert await store.revision() == 501
        await store.compact(501)
        await store.close()
        store = await SqliteStore.open(tmp_path / "store.db", envelopes=envelopes(NEW))
        found = await store.range(PREFIX)
        assert {entry.value for entry in found.entries} == {SECRET}
        assert len(found.entries) == 250
        with pytest.raises(Compacted):
            await anext(store.watch(b"", after=1))
        await store.close()

    asyncio.run(main())
