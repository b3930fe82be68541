"""What happens to images on one machine: names, archives, commits, pruning, leases."""

import asyncio
import gzip
import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from registry_place import Told, add_image, layer, machine_images, run

from sampan.engine.contract import ImageInUse, ImageNotFound, InvalidConfiguration
from sampan.engine.images.contract import CommitRequest
from sampan.engine.images.documents import ExecutionConfiguration, InvalidImage
from sampan.engine.images.machine_images import MachineImages

pytestmark = pytest.mark.real

LOWER = layer({"hello": b"hello", "etc/name": b"lower"})
UPPER = layer({"etc/name": b"upper"})


async def stream_of(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 700):
        yield data[start : start + 700]


async def saved(images: MachineImages, *references: str) -> bytes:
    return b"".join([piece async for piece in images.save(references)])


def compressed(program: str, data: bytes) -> bytes:
    return subprocess.run([program, "-c"], input=data, capture_output=True, check=True).stdout


def test_a_saved_image_is_read_by_others_and_by_us(tmp_path: Path) -> None:
    async def scenario() -> None:
        images = machine_images(tmp_path / "one")
        identifier = await add_image(images, "team/app:1", LOWER, UPPER)
        await images.tag("team/app:1", "team/app:2")
        data = await saved(images, "team/app")
        (tmp_path / "saved.tar").write_bytes(data)
        for kind in ("docker-archive", "oci-archive"):
            name = "docker.io/team/app:1" if kind == "docker-archive" else "1"
            place = f"{kind}:{tmp_path}/saved.tar:{name}"
            shown = json.loads(run("skopeo", "inspect", place))
            assert len(shown["Layers"]) == 2
            assert shown["Labels"] == {"a": "b"}
        for pack in (bytes, gzip.compress):
            other = machine_images(tmp_path / pack.__name__)
            told = Told()
            loaded = await other.load(stream_of(pack(data)), told)
            assert sorted((it.name, it.identifier) for it in loaded) == [
                ("team/app:1", identifier),
                ("team/app:2", identifier),
            ]
            assert "Loading layer" in told.statuses()
            detail = await other.inspect("team/app:2")
            assert detail.tags == ("team/app:1", "team/app:2")
            assert (Path(detail.folders[0]) / "etc/name").read_bytes() == b"upper"
            assert [it.size for it in detail.layers] == [10, 5]

    asyncio.run(scenario())


def test_what_others_save_is_loaded_in_every_compression(tmp_path: Path) -> None:
    async def scenario() -> None:
        images = machine_images(tmp_path / "one")
        identifier = await add_image(images, "app:1", LOWER)
        (tmp_path / "saved.tar").write_bytes(await saved(images, "app:1"))
        run(
            "skopeo",
            "copy",
            "-q",
            f"docker-archive:{tmp_path}/saved.tar",
            f"docker-archive:{tmp_path}/theirs.tar:app:1",
        )
        plain = (tmp_path / "theirs.tar").read_bytes()
        for program in ("xz", "bzip2", "zstd"):
            packed = compressed(program, plain)
            other = machine_images(tmp_path / program)
            (loaded,) = await other.load(stream_of(packed))
            assert (loaded.name, loaded.identifier) == ("app:1", identifier)
            with pytest.raises(InvalidImage):
                await other.load(stream_of(packed[: len(packed) // 2]))

    asyncio.run(scenario())


def test_an_image_that_lost_its_name_stays_until_it_is_pruned(tmp_path: Path) -> None:
    async def scenario() -> None:
        images = machine_images(tmp_path / "store")
        first = await add_image(images, "app", LOWER)
        second = await add_image(images, "app", LOWER, UPPER)
        details = {it.identifier: it.tags for it in await images.list()}
        assert details == {first: (), second: ("app:latest",)}
        assert (await machine_images(tmp_path / "store").inspect(first)).tags == ()
        pruned = await images.prune(lambda image: bool(image.tags))
        assert [it.deleted for it in pruned.removed] == [first]
        assert [it.identifier for it in await images.list()] == [second]
        with pytest.raises(ImageNotFound, match=f"No such image: {first}"):
            await images.inspect(first)
        assert (await images.inspect(second[7:12])).identifier == second

    asyncio.run(scenario())


def test_removing_takes_away_what_nothing_else_needs(tmp_path: Path) -> None:
    async def scenario() -> None:
        images = machine_images(tmp_path / "store")
        store = images._store
        first = await add_image(images, "one", LOWER)
        second = await add_image(images, "two", LOWER, UPPER)
        store.leases.take("owner", "c1", store.find("two")[0])
        with pytest.raises(ImageInUse):
            await images.remove("two")
        images.know_running(lambda _: False)
        with pytest.raises(ImageInUse):
            await images.remove("two")
        removed = await images.remove("two", force=True)
        assert [it.untagged or it.deleted for it in removed][:2] == ["two:latest", second]
        assert store.blobs.has(store.stored(store.find("one")[0]).blobs[0])
        # The container can still be started: its lease holds what it needs.
        assert len(store.leases.manifests()) == 1
        store.release("owner", "c1")
        removed = await images.remove(first[7:19])
        assert removed[0].untagged == "one:latest"
        await store.collect()
        assert store.blobs.digests() == set()
        assert store.layers.chains() == set()

    asyncio.run(scenario())


def test_a_commit_is_a_child_and_holds_its_parent(tmp_path: Path) -> None:
    async def scenario() -> None:
        images = machine_images(tmp_path / "store")
        base = await add_image(images, "base", LOWER)
        upper = tmp_path / "upper"
        (upper / "etc").mkdir(parents=True)
        (upper / "etc/name").write_text("changed")
        os.mknod(upper / "hello", 0o020000, os.makedev(0, 0))
        request = CommitRequest(
            base=base,
            upper=upper,
            execution=ExecutionConfiguration(cmd=("/new",)),
            name="mine:1",
            author="me",
            message="why",
            created_by="/bin/sh",
        )
        identifier = await images.commit(request)
        detail = await images.inspect("mine:1")
        assert (detail.identifier, detail.parent) == (identifier, base)
        assert (detail.author, detail.comment, detail.execution.cmd) == ("me", "why", ("/new",))
        history = await images.history("mine:1")
        assert (history[0].identifier, history[0].created_by) == (identifier, "/bin/sh")
        assert history[0].tags == ("mine:1",)
        assert len(detail.layers) == 2
        with pytest.raises(ImageInUse, match="dependent child"):
            await images.remove(base, force=True)
        removed = [it.untagged or it.deleted for it in await images.remove("base")]
        assert removed == ["base:latest"]
        gone = [it.deleted for it in await images.remove("mine:1") if it.deleted]
        assert gone[0] == identifier
        assert base in gone

    asyncio.run(scenario())


def test_a_root_becomes_an_image(tmp_path: Path) -> None:
    async def scenario() -> None:
        images = machine_images(tmp_path / "store")
        identifier = await images.import_root(
            stream_of(gzip.compress(LOWER)), name="root:1", message="from afar"
        )
        detail = await images.inspect("root:1")
        assert (detail.identifier, detail.comment) == (identifier, "from afar")
        assert (Path(detail.folders[0]) / "hello").read_bytes() == b"hello"
        with pytest.raises(InvalidImage):
            await images.import_root(stream_of(b"no archive" * 1000))
        with pytest.raises(InvalidConfiguration, match="invalid reference format"):
            await images.import_root(stream_of(LOWER), name="Root")

    asyncio.run(scenario())


def test_a_layer_is_unpacked_once_for_all_who_ask(tmp_path: Path) -> None:
    async def scenario() -> None:
        images = machine_images(tmp_path / "store")
        store = images._store
        await add_image(images, "app", LOWER, UPPER)
        unpacked: list[str] = []
        unpack = store.layers.unpack

        def counted(chain, diff_id, blob, progress=None):  # type: ignore[no-untyped-def]
            unpacked.append(chain[-1])
            unpack(chain, diff_id, blob, progress)

        store.layers.unpack = counted  # type: ignore[method-assign]
        asking = (store.acquire("app", "owner", f"c{number}") for number in range(8))
        await asyncio.gather(*asking)
        assert len(unpacked) == len(set(unpacked)) == 2

    asyncio.run(scenario())


def test_an_image_that_the_disk_has_damaged_harms_no_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        images = machine_images(tmp_path / "store")
        good = await add_image(images, "good", LOWER)
        await add_image(images, "bad", LOWER, UPPER)
        images._store.blobs.path(images._store.find("bad")[0]).write_bytes(b"{")
        again = machine_images(tmp_path / "store")
        assert [it.identifier for it in await again.list()] == [good]
        with pytest.raises(InvalidImage):
            await again.inspect("bad")
        await again._store.collect()
        assert (await again.inspect("good")).identifier == good

    asyncio.run(scenario())
