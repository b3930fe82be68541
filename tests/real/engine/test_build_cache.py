"""What builds keep: across machines, within bounds, and safe from those who share it."""

import asyncio
import os
import tarfile
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


def test_a_cache_travels_to_another_machine(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        add_root(place.folder / "context")
        location = (CacheLocation("local", str(place.folder / "exported")),)
        one, _ = await build(place, STAGES, cache_exports=location)
        other = ImageStore(place.folder / "other")
        two, told = await build(place, STAGES, store=other, cache_imports=location)
        assert one.identifier == two.identifier
        assert told.count("Using cache") == 8

        blob = max((place.folder / "exported/blobs/sha256").iterdir(), key=os.path.getsize)
        blob.write_bytes(blob.read_bytes()[:-1] + b"x")
        third = ImageStore(place.folder / "third")
        with pytest.raises(BuildFailed, match="another digest or size"):
            await build(place, STAGES, store=third, cache_imports=location)

    in_own_process(tmp_path, body)


def test_an_image_lends_its_layers(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        add_root(place.folder / "context")
        text = "FROM scratch\nCOPY root/ /\nENV A=b\nRUN echo ran > /it\nRUN echo more > /more\n"
        one, _ = await build(place, text)
        builds = await builds_of(place)
        pruned = await builds.prune_cache()
        assert len(pruned.identifiers) == 4
        assert pruned.space == 0  # the image has the layers still
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
