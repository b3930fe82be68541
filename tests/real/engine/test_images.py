"""Images come in, go out and are removed; hostile ones are refused and leave nothing."""

import asyncio
import gzip
import hashlib
import io
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from isolation import Place, in_own_process

from sampan.engine.contract import ImageInUse, ImageNotFound
from sampan.engine.images.archive import LoadedImage, load_archive
from sampan.engine.images.documents import InvalidImage
from sampan.engine.images.extraction import extract_layer
from sampan.engine.images.removing import ImageRemover
from sampan.engine.images.saving import SavedImage, archive_of
from sampan.engine.images.store import ImageStore
from sampan.engine.images.streams import HashingReader, decompressed

pytestmark = pytest.mark.real

Fill = Callable[[tarfile.TarFile], None]


def entry(name: str, **fields: object) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(header, field, value)
    return header


def file(archive: tarfile.TarFile, name: str, data: bytes = b"x", **fields: object) -> None:
    archive.addfile(entry(name, size=len(data), **fields), io.BytesIO(data))


def layer(fill: Fill) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        fill(archive)
    return buffer.getvalue()


def extract(fill: Fill, target: Path, lower: tuple[Path, ...] = ()) -> None:
    target.mkdir()
    extract_layer(HashingReader(io.BytesIO(layer(fill))), target, lower)


def link_then_write(archive: tarfile.TarFile) -> None:
    archive.addfile(entry("way", type=tarfile.SYMTYPE, linkname="../../outside"))
    file(archive, "way/file")


def link_chain(archive: tarfile.TarFile) -> None:
    archive.addfile(entry("a", type=tarfile.SYMTYPE, linkname="b/" * 1000 + "../" * 2000))
    archive.addfile(entry("b", type=tarfile.SYMTYPE, linkname="."))
    file(archive, "a/outside/file")


HOSTILE: dict[str, Fill] = {
    "a way up": lambda archive: file(archive, "../outside/file"),
    "a way up inside": lambda archive: file(archive, "a/../../outside/file"),
    "an absolute path": lambda archive: file(archive, "/outside/file"),
    "a symlink, then a write through it": link_then_write,
    "a chain of symlinks": link_chain,
    "a hard link outside": lambda archive: archive.addfile(
        entry("x", type=tarfile.LNKTYPE, linkname="../outside/secret")
    ),
    "an absolute hard link": lambda archive: archive.addfile(
        entry("x", type=tarfile.LNKTYPE, linkname="/etc/passwd")
    ),
    "a device": lambda archive: archive.addfile(
        entry("sda", type=tarfile.BLKTYPE, devmajor=8, devminor=0)
    ),
    "another device": lambda archive: archive.addfile(
        entry("mem", type=tarfile.CHRTYPE, devmajor=1, devminor=1)
    ),
    "an overlay attribute": lambda archive: file(
        archive, "x", pax_headers={"SCHILY.xattr.trusted.overlay.redirect": "/etc"}
    ),
    "a capability that is none": lambda archive: file(
        archive, "x", pax_headers={"SCHILY.xattr.security.capability": "long" * 20}
    ),
    "a whiteout outside": lambda archive: file(archive, "a/.wh...", b""),
    "a whiteout of nothing": lambda archive: file(archive, ".wh.", b""),
    "a file in place of its root": lambda archive: file(archive, "./"),
}


@pytest.mark.parametrize("fill", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_layer_is_refused_and_nothing_lies_outside(tmp_path: Path, fill: Fill) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    with pytest.raises(InvalidImage):
        extract(fill, tmp_path / "layer")
    assert os.listdir(outside) == ["secret"]
    assert sorted(os.listdir(tmp_path)) == ["layer", "outside"]


def test_a_layer_is_unpacked_exactly(tmp_path: Path) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        archive.addfile(entry("d", type=tarfile.DIRTYPE, mode=0o2750, uid=5, gid=6, mtime=7))
        file(archive, "d/f", b"content", mode=0o4755, uid=1, gid=2, mtime=1_000_000)
        archive.addfile(entry("d/hard", type=tarfile.LNKTYPE, linkname="d/f"))
        archive.addfile(entry("soft", type=tarfile.SYMTYPE, linkname="/etc/passwd", uid=9))
        file(archive, ".wh.gone", b"")
        file(archive, "d/.wh..wh..opq", b"")

    extract(fill, tmp_path / "layer")
    root = tmp_path / "layer"
    folder, plain = (root / "d").stat(), (root / "d/f").stat()
    assert (stat.S_IMODE(folder.st_mode), folder.st_uid, folder.st_gid) == (0o2750, 5, 6)
    assert folder.st_mtime == 7
    assert (stat.S_IMODE(plain.st_mode), plain.st_uid, plain.st_gid) == (0o4755, 1, 2)
    assert (plain.st_mtime, plain.st_nlink) == (1_000_000, 2)
    assert os.readlink(root / "soft") == "/etc/passwd"
    gone = (root / "gone").lstat()
    assert stat.S_ISCHR(gone.st_mode)
    assert gone.st_rdev == 0
    assert os.getxattr(root / "d", "trusted.overlay.opaque") == b"y"


def test_what_a_layer_does_not_describe_looks_as_it_does_below(tmp_path: Path) -> None:
    def below(archive: tarfile.TarFile) -> None:
        archive.addfile(entry("d", type=tarfile.DIRTYPE, mode=0o700, uid=5, gid=6))
        file(archive, "d/old", b"old", mode=0o640, uid=3)

    def above(archive: tarfile.TarFile) -> None:
        file(archive, "d/new", b"new")
        archive.addfile(entry("copy", type=tarfile.LNKTYPE, linkname="d/old"))

    extract(below, tmp_path / "lower")
    extract(above, tmp_path / "upper", (tmp_path / "lower",))
    folder = (tmp_path / "upper/d").stat()
    assert (stat.S_IMODE(folder.st_mode), folder.st_uid, folder.st_gid) == (0o700, 5, 6)
    assert (tmp_path / "upper/copy").read_bytes() == b"old"
    assert (tmp_path / "upper/copy").stat().st_uid == 3


def test_a_bomb_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=9) as out:
        for _ in range(1100):
            out.write(bytes(1 << 20))
    with path.open("rb") as compressed:
        stream = decompressed(compressed)
        with pytest.raises(InvalidImage, match="more than"):
            stream.drain()


def test_a_long_extended_header_does_not_fill_the_memory(tmp_path: Path) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        file(archive, "x", pax_headers={"comment": "long" * 1_000_000})

    with pytest.raises(InvalidImage, match="extended header"):
        extract(fill, tmp_path / "layer")


def test_a_header_of_negative_size_is_refused(tmp_path: Path) -> None:
    header = entry("x", size=-512).tobuf(tarfile.GNU_FORMAT)
    archive = header + bytes(2 * tarfile.BLOCKSIZE)
    (tmp_path / "layer").mkdir()
    with pytest.raises(InvalidImage, match="negative"):
        extract_layer(HashingReader(io.BytesIO(archive)), tmp_path / "layer", ())


@pytest.mark.parametrize(
    "flags",
    [
        ("--format=gnu",),
        ("--format=posix",),
        ("--format=posix", "--sparse-version=0.0"),
        ("--format=posix", "--sparse-version=0.1"),
    ],
)
def test_the_holes_of_a_sparse_file_stay_holes(tmp_path: Path, flags: tuple[str, ...]) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with (source / "sparse").open("wb") as out:
        for number in range(100):
            out.seek(number * 100_000)
            out.write(b"%d" % number * 100)
        out.truncate(64 << 20)
    (source / "then").write_text("after")
    made = subprocess.run(
        ["tar", "-S", *flags, "-C", source, "-c", "sparse", "then"],
        capture_output=True,
        check=True,
    )
    assert len(made.stdout) < 4 << 20
    (tmp_path / "layer").mkdir()
    extract_layer(HashingReader(io.BytesIO(made.stdout)), tmp_path / "layer", ())
    unpacked = tmp_path / "layer/sparse"
    assert unpacked.read_bytes() == (source / "sparse").read_bytes()
    assert unpacked.stat().st_blocks * 512 < 4 << 20
    assert (tmp_path / "layer/then").read_text() == "after"


def write_tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            file(archive, name, data)


def docker_archive(path: Path, layers: list[bytes], **changes: object) -> None:
    diff_ids = ["sha256:" + hashlib.sha256(data).hexdigest() for data in layers]
    configuration = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/x"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    } | changes
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": ["team/app:1"], "Layers": names}]
    write_tar(
        path,
        {
            "config.json": json.dumps(configuration).encode(),
            "manifest.json": json.dumps(manifest).encode(),
            **dict(zip(names, layers, strict=True)),
        },
    )


async def load(store: ImageStore, path: Path) -> list[LoadedImage]:
    with store.pinned() as pins, path.open("rb") as archive:
        found = load_archive(store, archive, pins)
        for each in found:
            await store.unpack(store.stored(each.manifest))
            await store.tag(each.manifest, each.name)
    return found


def save(store: ImageStore, name: str, path: Path) -> None:
    full = store.find(name)[1]
    images = [SavedImage(store.names.tags[full], (full,))]
    path.write_bytes(b"".join(archive_of(store, images)))


async def remove(store: ImageStore, reference: str) -> list[str]:
    remover = ImageRemover(store, lambda *_: None, lambda _: True)
    return [it.untagged for it in await remover.remove(reference, force=False, prune_parents=True)]


def test_an_archive_of_docker_becomes_an_image_and_an_oci_archive_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = ImageStore(tmp_path / "one")
        lower = layer(lambda archive: file(archive, "a"))
        upper = gzip.compress(layer(lambda archive: file(archive, "b")))
        plain = [
            "sha256:" + hashlib.sha256(data).hexdigest() for data in (lower, gzip.decompress(upper))
        ]
        docker_archive(
            tmp_path / "docker.tar", [lower, upper], rootfs={"type": "layers", "diff_ids": plain}
        )
        assert [it.name for it in await load(store, tmp_path / "docker.tar")] == [
            "docker.io/team/app:1"
        ]
        image = store.resolve("team/app:1")
        save(store, "team/app:1", tmp_path / "saved.tar")

        other = ImageStore(tmp_path / "two")
        await load(other, tmp_path / "saved.tar")
        assert other.resolve("team/app:1").digest == image.digest
        assert other.describe(image).names == ("docker.io/team/app:1",)
        folders = other.layers.folders(image.diff_ids)
        assert [os.listdir(folder) for folder in folders] == [["b"], ["a"]]

        again = ImageStore(tmp_path / "two")
        assert again.images() == other.images()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "changes",
    [
        {"rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}},
        {"rootfs": {"type": "layers", "diff_ids": []}},
        {"rootfs": {"type": "layers", "diff_ids": ["../../x"]}},
        {"architecture": 7},
    ],
)
def test_an_archive_whose_parts_do_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    async def scenario() -> None:
        store = ImageStore(tmp_path / "store")
        docker_archive(tmp_path / "a.tar", [layer(lambda archive: file(archive, "a"))], **changes)
        with pytest.raises(InvalidImage):
            await load(store, tmp_path / "a.tar")
        await store.collect()
        assert store.images() == []
        assert store.blobs.digests() == set()
        assert store.layers.chains() == set()

    asyncio.run(scenario())


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = ImageStore(tmp_path / "store")
        (tmp_path / "text").write_text("hello" * 1000)
        write_tar(tmp_path / "empty.tar", {"readme": b"x"})
        write_tar(tmp_path / "up.tar", {"../manifest.json": b"[]"})
        for name in ("text", "empty.tar", "up.tar"):
            with pytest.raises(InvalidImage):
                await load(store, tmp_path / name)

    asyncio.run(scenario())


def test_an_image_in_use_stays(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        digest = await place.add_image()
        engine = await place.engine()
        identifier = await engine.create(place.shell("true"))
        with pytest.raises(ImageInUse):
            await remove(place.store, "machine")
        await engine.remove(identifier)
        await engine.close()
        assert (await remove(place.store, digest))[0] == "machine:latest"
        with pytest.raises(ImageNotFound):
            place.store.resolve("machine")
        assert place.store.blobs.digests() == set()
        assert place.store.layers.chains() == set()

    in_own_process(tmp_path, body)
