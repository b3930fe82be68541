"""What builds keep: across machines, within bounds, and safe from those who share it."""

import asyncio
import gzip
import os
import shutil
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from building import add_root, build, builds_of
from isolation import Place, in_own_process

from sampan.engine.build.cache_mounts import CacheMounts
from sampan.engine.build.contract import CacheLocation
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.run_mounts import RunMount
from sampan.engine.build.step_mounts import MountMaker
from sampan.engine.build.workspace import Workspace
from sampan.engine.images.documents import Descriptor
from sampan.engine.images.store import ImageStore

pytestmark = pytest.mark.real

STAGES = """\
FROM scratch AS base
COPY root/ /
FROM base AS one
RUN echo one > /one
FROM base AS two
RUN echo two > /two
FROM base
COPY --from=one /one /
COPY --from=two /two /
ENV A=b
WORKDIR /w
RUN mkdir /made && echo ran > /made/it && ln -s it /made/link && ln /made/it /made/hard
"""


def test_two_stores_make_the_same_image_to_the_last_bit(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        context = place.folder / "context"
        add_root(context)
        arguments = {"SOURCE_DATE_EPOCH": "1000000000"}
        one, _ = await build(place, STAGES, build_arguments=arguments)
        other = ImageStore(place.folder / "other")
        for path in context.rglob("*"):
            os.utime(path, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
        two, told = await build(place, STAGES, store=other, build_arguments=arguments)
        assert "Using cache" not in told
        assert (one.digest, one.identifier) == (two.digest, two.identifier)
        assert one.configuration.created == "2001-09-09T01:46:40.000000Z"

    in_own_process(tmp_path, body)


class FolderOfBlobs:
    """A place for caches that is a folder, as a client's is; it may send what it likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    async def document(self) -> bytes | None:
        path = self.folder / "document"
        return path.read_bytes() if path.exists() else None

    async def blob(self, wanted: Descriptor) -> AsyncIterator[bytes]:
        yield (self.folder / wanted.digest).read_bytes()

    async def put_blob(self, blob: Descriptor, path: Path) -> None:
        shutil.copyfile(path, self.folder / blob.digest)

    async def put_document(self, data: bytes, media_type: str) -> None:
        (self.folder / "document").write_bytes(data)


class Client:
    """One that keeps caches, and nothing else."""

    def __init__(self, place: FolderOfBlobs) -> None:
        self.place = place

    async def credentials(self, registry: str) -> None:
        return None

    async def secret(self, identifier: str) -> None:
        return None

    def cache_place(self, identifier: str, digest: str) -> FolderOfBlobs:
        return self.place


def test_a_cache_travels_to_another_machine(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        add_root(place.folder / "context")
        exported = FolderOfBlobs(place.folder / "exported")
        client, location = Client(exported), CacheLocation(kind="client", place="x", mode="max")
        one, _ = await build(place, STAGES, cache_exports=(location,), sources=client)
        other = ImageStore(place.folder / "other")
        imports = {"cache_imports": (location,), "sources": client}
        two, told = await build(place, STAGES, store=other, **imports)
        assert one.identifier == two.identifier
        assert told.count("Using cache") == 8

        changed = STAGES.replace("echo ran", "echo again")
        third = ImageStore(place.folder / "third")
        _, told = await build(place, changed, store=third, **imports)
        assert told.count("Using cache") == 7

        blob = max(exported.folder.iterdir(), key=os.path.getsize)
        whole = blob.read_bytes()
        flipped = whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:]
        for damaged in (flipped, whole[:-100], gzip.compress(b"other")):
            blob.write_bytes(damaged)
            with pytest.raises(BuildFailed, match="an imported cache can't be used"):
                await build(place, STAGES, store=ImageStore(place.folder / "fourth"), **imports)

    in_own_process(tmp_path, body)


def test_of_a_small_cache_only_the_images_layers_are_there(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        add_root(place.folder / "context")
        client = Client(FolderOfBlobs(place.folder / "exported"))
        location = CacheLocation(kind="client", place="x")
        one, _ = await build(place, STAGES, cache_exports=(location,), sources=client)
        names = {path.name for path in client.place.folder.iterdir()}
        assert len(names) == len(one.diff_ids) + 2
        imports = {"cache_imports": (location,), "sources": client}
        two, told = await build(place, STAGES, store=ImageStore(place.folder / "other"), **imports)
        assert two.diff_ids == one.diff_ids
        assert "Using cache" in told

    in_own_process(tmp_path, body)


def test_an_image_tells_itself_which_steps_it_has(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        add_root(place.folder / "context")
        context = place.folder / "context"
        (context / "f").write_text("one")
        text = "FROM scratch\nCOPY root/ /\nCOPY f /f\nRUN cat /f > /it\n"
        for inline in (True, False):
            await (await builds_of(place)).prune_cache()
            wanted = {"history": "buildkit", "has_inline_cache": inline}
            one, _ = await build(place, text, **wanted)
            assert len(one.configuration.build_cache) == (3 if inline else 0)
            await (await builds_of(place)).prune_cache()
            (context / "f").write_text("two" if inline else "three")
            two, told = await build(place, text, cache_from=(one.identifier,), **wanted)
            # The same words, another file: only what has the same contents is taken.
            assert told.count("Using cache") == (1 if inline else 0)
            assert (place.store.layers.folders(two.diff_ids)[0] / "it").read_text() == (
                "two" if inline else "three"
            )
        (context / "f").write_text("one")

    in_own_process(tmp_path, body)


def test_an_image_lends_its_layers(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        add_root(place.folder / "context")
        text = "FROM scratch\nCOPY root/ /\nENV A=b\nRUN echo ran > /it\nRUN echo more > /more\n"
        one, _ = await build(place, text)
        builds = await builds_of(place)
        pruned = await builds.prune_cache()
        assert len(pruned.identifiers) == 4
        # As Docker counts it, though the image has the layers still.
        assert pruned.space == sum(layer.size for layer in one.manifest.layers)
        _, told = await build(place, text.replace("more >", "less >"))
        assert "Using cache" not in told
        await (await builds_of(place)).prune_cache()
        two, told = await build(
            place, text.replace("more >", "less >"), cache_from=(one.identifier, "nosuch:image")
        )
        assert told.count("Using cache") == 3
        assert two.diff_ids[:2] == one.diff_ids[:2]
        assert "[Warning] no cache from nosuch:image" in told

    in_own_process(tmp_path, body)


def test_what_is_kept_is_counted_and_pruned(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        add_root(place.folder / "context")
        text = (
            "FROM scratch\nCOPY root/ /\n"
            "RUN --mount=type=cache,target=/c dd if=/dev/zero of=/c/b bs=1M count=3; echo x > /f\n"
        )
        image, _ = await build(place, text)
        builds = await builds_of(place)
        records = {record.kind: record for record in await builds.cache_usage()}
        assert records["exec.cachemount"].size >= 3 << 20
        assert records["regular"].is_shared
        pruned = await builds.prune_cache(is_wanted=lambda record: record.kind == "regular")
        assert pruned.space >= 3 << 20
        assert [record.kind for record in await builds.cache_usage()] == ["regular", "regular"]
        assert place.store.blobs.has(image.diff_ids[0])

    in_own_process(tmp_path, body)


def test_a_cache_folder_whose_links_are_swapped(tmp_path: Path) -> None:
    """Item 20: a step puts a link where another, at the same time, mounts a part of the cache."""

    async def body(place: Place) -> None:
        secret = place.folder / "secret"
        secret.mkdir()
        (secret / "key").write_text("secret")
        caches = CacheMounts(place.folder / "caches")
        mount = RunMount(kind="cache", target="/c", identifier="x", source="sub", mode=0o755)
        async with caches.taken(mount, lambda _: None) as folder:
            os.symlink(secret, folder / "sub")
        # Naively joined, the path leads to the host's file.
        assert (folder / mount.source / "key").read_text() == "secret"
        with place.store.pinned() as pins:
            workspace = Workspace(place.folder / "work", place.store, pins)
            maker = MountMaker(workspace, caches, None, lambda _: workspace.scratch(), 1)
            with pytest.raises(BuildFailed, match="failed to mount sub"):
                async with maker.made((mount,)):
                    pass
            os.unlink(folder / "sub")
            (folder / "sub").mkdir()
            (folder / "sub/key").write_text("own")
            async with maker.made((mount,)) as made:
                # What was found stays mounted, whatever is put in its place afterwards.
                os.rename(folder / "sub", folder / "moved")
                os.symlink(secret, folder / "sub")
                assert (Path(made.mounts[0].source) / "key").read_text() == "own"

    in_own_process(tmp_path, body)


def test_steps_take_turns_or_get_a_folder_each(tmp_path: Path) -> None:
    async def use(caches: CacheMounts, mount: RunMount, seen: list[tuple[str, int]]) -> None:
        async with caches.taken(mount, lambda _: None) as path:
            users.append(path)
            await asyncio.sleep(0)
            seen.append((path.parent.name, len(users)))
            users.remove(path)

    users: list[Path] = []

    async def body() -> None:
        caches = CacheMounts(tmp_path / "caches")
        for sharing, folders, most in (("locked", 1, 1), ("private", 2, 2), ("shared", 1, 2)):
            mount = RunMount(
                kind="cache", target="/c", identifier=sharing, sharing=sharing, mode=0o755
            )
            seen: list[tuple[str, int]] = []
            await asyncio.gather(use(caches, mount, seen), use(caches, mount, seen))
            assert len({name for name, _ in seen}) == folders
            assert max(count for _, count in seen) <= most

    asyncio.run(body())


def test_no_program_of_the_image_unpacks_an_archive(tmp_path: Path) -> None:
    """Item 16: the image's PATH has decompressors of its own, which are never run."""

    async def body(place: Place) -> None:
        context = place.folder / "context"
        add_root(context)
        for name in ("xz", "gzip", "unpigz", "bzip2", "tar"):
            (context / "root/bin" / name).write_text("#!/bin/sh\necho taken > /taken\n")
            (context / "root/bin" / name).chmod(0o755)
        for name, kind in (("a.tar.xz", "w:xz"), ("b.tar.gz", "w:gz")):
            with tarfile.open(context / name, kind) as packed:
                packed.add(context / "root/etc/passwd", name)
        image, _ = await build(
            place,
            "FROM scratch\nCOPY root/ /\nENV PATH=/bin\nADD a.tar.xz b.tar.gz /to/\n",
        )
        top = place.store.layers.folders(image.diff_ids)[0]
        assert sorted(os.listdir(top / "to")) == ["a.tar.xz", "b.tar.gz"]
        assert (top / "to/b.tar.gz").read_text().startswith("root:")
        assert not (top / "taken").exists()
        assert not Path("/taken").exists()

    in_own_process(tmp_path, body)
