"""Images and archives: each attack is shown to work on trusting logic, then refused by ours."""

import asyncio
import gzip
import hashlib
import io
import json
import lzma
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from tests.hostile.layers import (
    archive_of,
    entry,
    file,
    link,
    names_by_realpath,
    unpack_trustingly,
)

from sampan.engine.images.archive import load_archive
from sampan.engine.images.details import detail_of
from sampan.engine.images.documents import InvalidImage, decode_index, decode_manifest
from sampan.engine.images.extraction import extract_layer
from sampan.engine.images.store import ImageStore
from sampan.engine.images.streams import HashingReader, archive_entries, decompressed

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="files get owners and devices as root only"),
]


class Ground:
    """A folder to unpack into, and one beside it that is none of the archive's business."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outside = folder / "outside"
        self.secret = self.outside / "secret"
        self.outside.mkdir()
        self.secret.write_text("secret")

    def trustingly(self, data: bytes) -> Path:
        target = self.folder / "trusting"
        target.mkdir()
        unpack_trustingly(data, target)
        return target

    def ours(self, data: bytes) -> Path:
        target = self.folder / "ours"
        target.mkdir()
        extract_layer(HashingReader(io.BytesIO(data)), target, ())
        return target

    def refused(self, data: bytes) -> None:
        """Ours refuses, and nothing outside has changed."""
        before = self.seen()
        with pytest.raises(InvalidImage):
            self.ours(data)
        assert self.seen() == before

    def seen(self) -> dict[str, tuple[str, int]]:
        return {
            path.name: (path.read_text(), path.stat().st_nlink) for path in self.outside.iterdir()
        }


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


@pytest.mark.parametrize("name", ["../outside/file", "a/../../outside/file"])
def test_a_way_up(ground: Ground, name: str) -> None:
    data = archive_of(lambda archive: file(archive, name))
    ground.trustingly(data)
    assert (ground.outside / "file").read_text() == "evil"
    (ground.outside / "file").unlink()
    ground.refused(data)


def test_an_absolute_name(ground: Ground) -> None:
    name = f"{ground.outside}/file"

    def fill(archive: tarfile.TarFile) -> None:
        header = entry("x", size=4)
        header.name = name
        archive.addfile(header, io.BytesIO(b"evil"))

    data = archive_of(fill)
    ground.trustingly(data)
    assert (ground.outside / "file").read_text() == "evil"
    (ground.outside / "file").unlink()
    ground.refused(data)


@pytest.mark.parametrize("target", ["../outside", "{outside}"])
def test_a_symlink_then_a_write_through_it(ground: Ground, target: str) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        link(archive, "way", target.format(outside=ground.outside))
        file(archive, "way/file")

    data = archive_of(fill)
    # Looked at before anything is written, both names lie inside.
    assert names_by_realpath(data, ground.folder / "none") == ["way", "way/file"]
    ground.trustingly(data)
    assert (ground.outside / "file").read_text() == "evil"
    (ground.outside / "file").unlink()
    ground.refused(data)


def test_a_file_in_place_of_a_symlink_does_not_write_through_it(ground: Ground) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        link(archive, "name", "../outside/secret")
        file(archive, "name")

    data = archive_of(fill)
    before = ground.seen()
    assert (ground.ours(data) / "name").read_text() == "evil"
    assert not (ground.folder / "ours/name").is_symlink()
    assert ground.seen() == before
    target = ground.folder / "trusting"
    target.mkdir()
    (target / "name").symlink_to("../outside/secret")
    (target / "name").write_text("evil")
    assert ground.secret.read_text() == "evil"


@pytest.mark.parametrize("target", ["../outside/secret", "way/secret"])
def test_a_hard_link_to_a_file_outside(ground: Ground, target: str) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        if target.startswith("way"):
            link(archive, "way", "../outside")
        link(archive, "x", target, tarfile.LNKTYPE)

    data = archive_of(fill)
    root = ground.trustingly(data)
    (root / "x").write_text("evil")
    assert ground.secret.read_text() == "evil"
    (root / "x").unlink()
    ground.refused(data)


@pytest.mark.parametrize(("kind", "major", "minor"), [("BLKTYPE", 8, 0), ("CHRTYPE", 1, 1)])
def test_a_device(ground: Ground, kind: str, major: int, minor: int) -> None:
    header = entry("node", type=getattr(tarfile, kind), devmajor=major, devminor=minor)
    data = archive_of(lambda archive: archive.addfile(header))
    made = (ground.trustingly(data) / "node").stat()
    assert made.st_rdev == os.makedev(major, minor)
    ground.refused(data)


def test_a_device_where_every_container_has_its_own(ground: Ground) -> None:
    """Old base images have some: they are good without."""
    folder = entry("dev", type=tarfile.DIRTYPE, mode=0o755)
    node = entry("dev/sda", type=tarfile.BLKTYPE, devmajor=8, devminor=0)
    made = ground.ours(archive_of(lambda it: (it.addfile(folder), it.addfile(node))))
    assert list((made / "dev").iterdir()) == []


def test_attributes_that_overlayfs_or_the_kernel_would_obey(ground: Ground) -> None:
    for name in ("trusted.overlay.redirect", "trusted.overlay.metacopy", "security.ima"):
        header = {f"SCHILY.xattr.{name}": "/outside"}

        def fill(archive: tarfile.TarFile, header: dict[str, str] = header) -> None:
            file(archive, "x", pax_headers=header)

        with pytest.raises(InvalidImage, match="attribute"):
            extract_layer(
                HashingReader(io.BytesIO(archive_of(fill))), _fresh(ground.folder / name), ()
            )
    data = archive_of(
        lambda archive: file(archive, "x", pax_headers={"SCHILY.xattr.trusted.overlay.x": "y"})
    )
    assert "trusted.overlay.x" in os.listxattr(ground.trustingly(data) / "x")


@pytest.mark.parametrize("name", ["a/.wh...", ".wh..", ".wh.", "../outside/.wh.secret"])
def test_a_whiteout_outside_its_layer(ground: Ground, name: str) -> None:
    data = archive_of(lambda archive: file(archive, name, b""))
    if name.startswith("../"):
        ground.trustingly(data)
        assert not ground.secret.exists()
        ground.secret.write_text("secret")
    ground.refused(data)


def test_a_whiteout_in_a_linked_folder_hides_nothing_outside(ground: Ground) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        link(archive, "way", "../outside")
        file(archive, "way/.wh.secret", b"")

    data = archive_of(fill)
    ground.trustingly(data)
    assert not ground.secret.exists()
    ground.secret.write_text("secret")
    ground.refused(data)


def test_a_chain_of_symlinks_as_long_as_a_path_may_be(ground: Ground) -> None:
    """CVE-2025-4517: beyond PATH_MAX `realpath` stops resolving, and a check of names passes."""
    step = "d" * 240

    def fill(archive: tarfile.TarFile) -> None:
        path = ""
        for letter in "abcdefghijklmnop":
            folder = f"{path}{step}"
            archive.addfile(entry(folder, type=tarfile.DIRTYPE, mode=0o755))
            link(archive, f"{path}{letter}", step)
            path = f"{path}{letter}/"
        long = "/".join("abcdefghijklmnop")
        link(archive, f"{long}/{'l' * 254}", "../" * 16)
        link(archive, "escape", f"{long}/{'l' * 254}/../outside")
        file(archive, "escape/file")

    data = archive_of(fill)
    target = _fresh(ground.folder / "trusting")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for header in archive:
            path = target / header.name
            if header.isdir():
                path.mkdir(exist_ok=True)
            elif header.issym():
                path.symlink_to(header.linkname)
    assert (target / "escape").exists()
    assert (target / "escape/secret").read_text() == "secret"
    ground.refused(data)


def _zeros(size: int) -> Iterator[bytes]:
    for _ in range(size >> 20):
        yield bytes(1 << 20)


def _bomb(path: Path, compression: str) -> None:
    size = 2 << 30
    if compression == "gzip":
        with gzip.open(path, "wb", compresslevel=1) as out:
            out.writelines(_zeros(size))
    else:
        with path.open("wb") as raw, zstandard.ZstdCompressor(level=1).stream_writer(raw) as packed:
            for piece in _zeros(size):
                packed.write(piece)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_bomb_is_cut_off(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "bomb"
    _bomb(path, compression)
    assert path.stat().st_size < 20 << 20
    with path.open("rb") as packed:
        stream = decompressed(packed)
        with pytest.raises(InvalidImage, match="unpacks to more than"):
            stream.drain()
        # A trusting reader would have taken all of it.
        assert stream.size < 1100 << 20 < 2 << 30


def test_a_decompressor_that_would_take_all_memory(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 512 << 20}]
    packed = lzma.compress(b"small", filters=filters)
    assert lzma.decompress(packed) == b"small"
    with pytest.raises(InvalidImage):
        decompressed(io.BytesIO(packed)).drain()
    parameters = zstandard.ZstdCompressionParameters(window_log=29, write_content_size=False)
    packed = (
        zstandard.ZstdCompressor(compression_params=parameters)
        .compressobj()
        .compress(os.urandom(1 << 18))
    )
    with pytest.raises(InvalidImage):
        decompressed(io.BytesIO(packed)).drain()


class _ManyFiles:
    """A tar stream of files without end."""

    def __init__(self) -> None:
        self._header = entry("x").tobuf() * 1000

    def read(self, size: int = -1, /) -> bytes:
        return self._header[: size // 512 * 512]


def test_a_million_tiny_files_are_not_taken_in() -> None:
    entries = archive_entries(_ManyFiles())
    for _ in range(500_000):
        next(entries)
    with pytest.raises(InvalidImage, match="more than 500000 entries"):
        next(entries)


def test_a_map_of_holes_without_end() -> None:
    header = entry("x", type=tarfile.GNUTYPE_SPARSE, size=512).tobuf(tarfile.GNU_FORMAT)
    continued = bytearray(header)
    continued[482] = 1
    checksum = 256 + sum(continued[:148]) + sum(continued[156:512])
    continued[148:156] = b"%06o\0 " % checksum
    pair = b"00000000001\0" + b"00000000001\0"
    block = pair * 21 + b"\1" + bytes(7)
    with pytest.raises(InvalidImage, match="map of holes"):
        list(archive_entries(io.BytesIO(bytes(continued) + block * 5000), with_holes=True))


def test_a_document_that_is_both_manifest_and_index() -> None:
    digest = "sha256:" + "0" * 64
    layer = {"mediaType": "x", "digest": digest, "size": 1}
    both = json.dumps(
        {"schemaVersion": 2, "config": layer, "layers": [layer], "manifests": [layer]}
    ).encode()
    for trusting in ("layers", "manifests"):
        assert json.loads(both)[trusting]
    for decode in (decode_manifest, decode_index):
        with pytest.raises(InvalidImage, match="both"):
            decode(both)


def test_labels_and_annotations_are_not_taken_for_truth(tmp_path: Path) -> None:
    """What an archive says of itself makes it neither pulled, nor a child, nor somebody's."""
    layer = archive_of(lambda archive: file(archive, "x"))
    diff_id = _digest(layer)
    configuration = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": {"dev.sampan.repository": "example.com/trusted"}},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor(configuration, "application/vnd.oci.image.config.v1+json"),
            "layers": [_descriptor(layer, "application/vnd.oci.image.layer.v1.tar")],
        }
    ).encode()
    claims = {"dev.sampan.repository": "example.com/trusted", "dev.sampan.parent": diff_id}
    described = _descriptor(manifest, "application/vnd.oci.image.manifest.v1+json")
    named = described | {"annotations": claims | {"io.containerd.image.name": "app:1"}}
    index = json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()
    files = {"index.json": index} | {
        f"blobs/sha256/{_digest(data)[7:]}": data for data in (layer, configuration, manifest)
    }
    # Who keeps the descriptor as it came keeps its claims.
    assert json.loads(index)["manifests"][0]["annotations"]["dev.sampan.parent"]

    def fill(archive: tarfile.TarFile) -> None:
        for name, data in files.items():
            file(archive, name, data)

    async def scenario() -> None:
        store = ImageStore(tmp_path / "store")
        with store.pinned() as pins:
            data = archive_of(fill)
            (loaded,) = load_archive(store, io.BytesIO(data), pins)
            await store.tag(loaded.manifest, loaded.name)
        detail = detail_of(ImageStore(tmp_path / "store"), store.resolve("app:1"))
        assert (detail.digests, detail.parent, detail.containers) == ((), "", ())
        assert not store.describe(store.resolve("app:1")).is_from_registry

    asyncio.run(scenario())


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _descriptor(data: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}


@pytest.mark.parametrize("program", ["gzip", "xz", "bzip2", "zstd"])
def test_no_decompressor_is_taken_from_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    mark = tmp_path / "mark"
    programs = _fresh(tmp_path / "bin")
    for name in ("gzip", "unpigz", "xz", "bzip2", "zstd"):
        (programs / name).write_text(f'#!/bin/sh\n: >{mark}\nexec /usr/bin/{name} "$@"\n')
        (programs / name).chmod(0o755)
    data = archive_of(lambda archive: file(archive, "x"))
    packed = subprocess.run([program, "-c"], input=data, capture_output=True, check=True).stdout
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    subprocess.run([program, "-dc"], input=packed, capture_output=True, check=True)
    assert mark.exists()
    mark.unlink()
    target = _fresh(tmp_path / "ours")
    extract_layer(decompressed(io.BytesIO(packed)), target, ())
    assert (target / "x").read_bytes() == b"evil"
    assert not mark.exists()


def test_setuid_stays_what_the_layer_says_and_no_more(ground: Ground) -> None:
    """Bits and capabilities are an image's to give within its containers; other attributes of
    the kernel's security modules are not."""
    value = "\x01\x00\x00\x02\x00\x04\x00\x00" + "\x00" * 12

    def fill(archive: tarfile.TarFile) -> None:
        file(archive, "x", mode=0o4755, pax_headers={"SCHILY.xattr.security.capability": value})
        file(archive, "y", pax_headers={"SCHILY.xattr.security.selinux": "system_u:object_r"})

    root = ground.ours(archive_of(fill))
    assert stat.S_IMODE((root / "x").stat().st_mode) == 0o4755
    assert os.getxattr(root / "x", "security.capability") == value.encode()
    assert "security.selinux" not in os.listxattr(root / "y")


def _fresh(folder: Path) -> Path:
    folder.mkdir()
    return folder
