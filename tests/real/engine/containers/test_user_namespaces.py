"""Containers whose root is nobody outside: their files, in and out, tell who owns them inside."""

import io
import os
import stat
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from isolation import Place, in_own_process
from stage import created, opened

from sampan.engine.containers.contract import CommitOptions, LogOptions
from sampan.engine.images.streams import archive_entries
from sampan.host.identifier_map import IdentifierMap
from sampan.host.identifier_maps import OwnerMaps

pytestmark = pytest.mark.real

MAPS = (IdentifierMap(0, 300_000, 65_536),)
SCRIPT = (
    "echo own >/own; perl -e 'chown(5, 6, q(/own)) or die; print((stat q(/data))[4], q( ), "
    "(stat q(/bin))[4], qq(\\n))'; cat /proc/self/uid_map; sleep 100"
)


async def _owners(pieces: AsyncIterator[bytes]) -> dict[str, tuple[int, int]]:
    data = b"".join([piece async for piece in pieces])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {entry.name: (entry.uid, entry.gid) for entry in archive}


async def _archive(name: str, user: int, group: int) -> AsyncIterator[bytes]:
    buffer, entry = io.BytesIO(), tarfile.TarInfo(name)
    entry.uid, entry.gid = user, group
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(entry)
    yield buffer.getvalue()


def test_owners_are_those_inside(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place, owners=OwnerMaps(MAPS, MAPS))
        containers = stage.containers
        identifier = await created(stage, SCRIPT, "one", host={"binds": ("kept:/data",)})
        await containers.start("one")
        told = b""
        async for entry in containers.logs("one", LogOptions(follow=True)):
            told += entry.data
            if told.count(b"\n") == 2:
                break
        assert told.split() == [b"0", b"0", b"0", b"300000", b"65536"]
        root = await stage.parts.engine.root(identifier)
        assert (root / "own").stat().st_uid == 300_005

        _, pieces = await containers.get_archive("one", "/own")
        assert await _owners(pieces) == {"own": (5, 6)}
        exported = await _owners(await containers.export("one"))
        assert (exported["own"], exported["etc/passwd"]) == ((5, 6), (0, 0))
        await containers.put_archive("one", "/", _archive("given/file", 7, 8))
        for name, owner in (("given", (0, 0)), ("given/file", (7, 8))):
            status = (root / name).stat()
            assert (status.st_uid - 300_000, status.st_gid - 300_000) == owner

        image = place.store.resolve(await containers.commit("one", CommitOptions()))
        with place.store.blobs.path(image.diff_ids[-1]).open("rb") as file:
            layer = {entry.name: (entry.uid, entry.gid) for entry, _ in archive_entries(file)}
        assert (layer["own"], layer["given/file"]) == ((5, 6), (7, 8))
        await stage.close()

        # What holds for later containers changes nothing for this one.
        stage = await opened(place)
        process = (await stage.containers.inspect("one")).state.process
        assert os.stat(f"/proc/{process}").st_uid == 300_000
        await stage.containers.restart("one", 0)
        process = (await stage.containers.inspect("one")).state.process
        assert os.stat(f"/proc/{process}").st_uid == 300_000
        await created(stage, "sleep 100", "plain")
        await stage.containers.start("plain")
        process = (await stage.containers.inspect("plain")).state.process
        assert os.stat(f"/proc/{process}").st_uid == 0
        assert stat.S_ISREG((root / "own").stat().st_mode)
        for name in ("one", "plain"):
            await stage.containers.remove(name, force=True)
        await stage.close()

    in_own_process(tmp_path, body)
