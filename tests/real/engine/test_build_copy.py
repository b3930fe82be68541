"""COPY and ADD: archives, links, patterns, owners; and what the hostile try with them."""

import asyncio
import hashlib
import io
import os
import tarfile
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from building import build
from isolation import Place, in_own_process

from sampan.engine.build.contract import ArchiveContext, FolderContext, RemoteContext
from sampan.engine.build.errors import BuildFailed
from sampan.engine.contract import EngineError

pytestmark = pytest.mark.real


def archive(entries: dict[str, bytes | tarfile.TarInfo], kind: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=kind) as opened:
        for name, content in entries.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                opened.addfile(content)
                continue
            header = tarfile.TarInfo(name)
            header.size, header.mode, header.uid = len(content), 0o644, 1234
            opened.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


def link(target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    header = tarfile.TarInfo()
    header.type, header.linkname = kind, target
    return header


async def stream(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 10_000):
        yield data[start : start + 10_000]


def test_archives_are_unpacked_by_add_alone(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        context = place.folder / "context"
        context.mkdir()
        for kind in ("gz", "xz", "bz2"):
            (context / f"{kind}.tar").write_bytes(archive({f"{kind}/f": b"x"}, f"w:{kind}"))
        (context / "no-archive.gz").write_bytes(b"\x1f\x8b no")
        image, _ = await build(
            place,
            "FROM scratch\nADD gz.tar xz.tar bz2.tar no-archive.gz /to/\nCOPY gz.tar /copied/\n"
            "ADD --chown=7:8 gz.tar /owned\n",
        )
        owned, copied, added = place.store.layers.folders(image.diff_ids)
        assert sorted(os.listdir(added / "to")) == ["bz2", "gz", "no-archive.gz", "xz"]
        assert (added / "to/xz/f").stat().st_uid == 1234
        assert os.listdir(copied / "copied") == ["gz.tar"]
        status = (owned / "owned/gz/f").stat()
        assert (status.st_uid, status.st_gid) == (7, 8)

    in_own_process(tmp_path, body)


@asynccontextmanager
async def served(files: dict[str, bytes]) -> AsyncIterator[str]:
    """A web server with these files, for a `with` block; its address."""
    application = web.Application()

    async def answer(request: web.Request) -> web.Response:
        if request.path not in files:
            raise web.HTTPNotFound
        headers = {"Last-Modified": "Sat, 01 Jan 2000 00:00:00 GMT"}
        return web.Response(body=files[request.path], headers=headers)

    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def test_contexts_from_urls(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        files = {
            "/Alone": b"FROM scratch\nLABEL by=url\n",
            "/context.tgz": archive({"Dockerfile": b"FROM scratch\nCOPY f /\n", "f": b"x"}, "w:gz"),
        }
        async with served(files) as address:
            alone, _ = await build(place, "", context=RemoteContext(f"{address}/Alone"))
            assert alone.configuration.execution.labels == {"by": "url"}
            packed, _ = await build(place, "", context=RemoteContext(f"{address}/context.tgz"))
            (layer,) = place.store.layers.folders(packed.diff_ids)
            assert (layer / "f").read_bytes() == b"x"
        for url, message in (
            (f"{address}/gone", "error downloading remote context .*: connect: connection refused"),
            ("nosuch", r"remoteURL \(nosuch\) could not be recognized as URL"),
            ("https://example.org/x.git#main:sub", "is a git repository, which is not fetched"),
        ):
            with pytest.raises(EngineError, match=message):
                await build(place, "", context=RemoteContext(url))

    in_own_process(tmp_path, body)


def test_a_context_of_nothing_has_no_dockerfile(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        with pytest.raises(EngineError, match="Cannot locate specified Dockerfile: Dockerfile"):
            await build(place, "", context=ArchiveContext(stream(b"")))

    in_own_process(tmp_path, body)


def test_files_from_urls_are_checked(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        async with served({"/deep/f.txt": b"remote"}) as address:
            await check(place, f"{address}/deep/f.txt")

    async def check(place: Place, url: str) -> None:
        good = "sha256:" + hashlib.sha256(b"remote").hexdigest()
        image, _ = await build(place, f"FROM scratch\nADD --checksum={good} {url} /to/\n")
        file = place.store.layers.folders(image.diff_ids)[0] / "to/f.txt"
        assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"remote", 0o600)
        assert file.stat().st_mtime == 946684800
        with pytest.raises(BuildFailed, match="digest mismatch"):
            await build(place, f"FROM scratch\nADD --checksum=sha256:{'0' * 64} {url} /to/\n")
        with pytest.raises(BuildFailed, match="with status 404"):
            await build(place, f"FROM scratch\nADD {url}x /to/\n")

    in_own_process(tmp_path, body)


def test_patterns_parents_and_exclusions(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        context = place.folder / "context"
        for name in ("a/x.txt", "a/deep/y.txt", "a/z.md", "b/x.txt"):
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            (context / name).write_text(name)
        image, _ = await build(
            place,
            "FROM scratch\nCOPY --parents a/**/*.txt /p/\nCOPY --parents a/./deep /q/\n"
            "COPY --exclude=**/*.md --exclude=a/deep a /r\nCOPY --link b /s/b\n",
        )
        linked, excluded, pivot, parents = place.store.layers.folders(image.diff_ids)
        assert (parents / "p/a/deep/y.txt").is_file()
        assert (parents / "p/a/x.txt").is_file()
        assert (pivot / "q/deep/y.txt").is_file()
        assert sorted(os.listdir(excluded / "r")) == ["x.txt"]
        assert (linked / "s/b/x.txt").is_file()
        with pytest.raises(BuildFailed, match="must be a directory and end with a /"):
            await build(place, "FROM scratch\nCOPY a/x.txt b/x.txt /to\n")

    in_own_process(tmp_path, body)


def test_a_context_that_comes_as_an_archive(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        files = {
            "sub/Dockerfile.own": b"FROM scratch\nCOPY . /\n",
            "sub/Dockerfile.own.dockerignore": b"*.log\nsub\n",
            ".dockerignore": b"kept\n",
            "kept": b"kept",
            "a.log": b"log",
        }
        image, _ = await build(
            place,
            "",
            context=ArchiveContext(stream(archive(files, "w:gz"))),
            dockerfile="sub/Dockerfile.own",
        )
        top = place.store.layers.folders(image.diff_ids)[0]
        assert sorted(os.listdir(top)) == [".dockerignore", "kept"]

    in_own_process(tmp_path, body)


def test_an_archive_whose_last_block_is_cut_short(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        data = archive({"Dockerfile": b"FROM scratch\nCOPY f /\n", "f": b"seven b"})
        whole = data[: 3 * 512 + 7]
        assert whole.endswith(b"seven b")
        image, _ = await build(place, "", context=ArchiveContext(stream(whole)))
        assert (place.store.layers.folders(image.diff_ids)[0] / "f").read_bytes() == b"seven b"
        for cut in (data[:700], data[: 3 * 512], data[:1100]):
            with pytest.raises(EngineError):
                await build(place, "", context=ArchiveContext(stream(cut)))

    in_own_process(tmp_path, body)


@pytest.mark.parametrize(
    "entries",
    [
        {"../../escaped": b"x"},
        {"/escaped": b"x"},
        {"way": link("/"), "way/../../escaped": b"x"},
        {"stolen": link("../outside/secret", tarfile.LNKTYPE)},
        {"null": link("", tarfile.CHRTYPE)},
    ],
)
def test_a_hostile_archive_is_refused(tmp_path: Path, entries: dict[str, bytes]) -> None:
    """Item 17: neither as a context nor through ADD does an archive reach out."""

    async def body(place: Place) -> None:
        (place.folder / "outside").mkdir()
        (place.folder / "outside/secret").write_text("secret")
        before = sorted(str(path) for path in place.folder.glob("*"))
        data = archive(entries | {"Dockerfile": b"FROM scratch\n"})
        with pytest.raises(EngineError):
            await build(place, "FROM scratch\nCOPY . /\n", context=ArchiveContext(stream(data)))
        folder = place.folder / "context"
        (folder / "hostile.tar").write_bytes(archive(entries))
        with pytest.raises(EngineError):
            await build(place, "FROM scratch\nADD hostile.tar /to/\n")
        assert not Path("/escaped").exists()
        after = sorted(str(path) for path in place.folder.glob("*"))
        assert set(after) - set(before) <= {
            str(place.folder / name) for name in ("builds", "context")
        }

    in_own_process(tmp_path, body)


def test_links_of_an_archive_stay_within_the_image(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        outside = place.folder / "outside"
        outside.mkdir()
        folder = place.folder / "context"
        folder.mkdir()
        entries = {"way": link(str(outside)), f"way{'/x' * 3}": b"x"}
        (folder / "a.tar").write_bytes(archive(entries))
        with pytest.raises(BuildFailed, match="leads nowhere"):
            await build(place, "FROM scratch\nADD a.tar /\n")
        assert os.listdir(outside) == []

    in_own_process(tmp_path, body)


def test_a_context_that_is_a_link_shows_nothing_outside(tmp_path: Path) -> None:
    """Item 19: what the links in a context lead to is looked up within the context."""

    async def body(place: Place) -> None:
        secret = place.folder / "secret"
        secret.write_text("secret")
        context = place.folder / "context"
        context.mkdir()
        os.symlink(secret, context / "absolute")
        os.symlink("../secret", context / "up")
        os.symlink("..", context / "above")
        for source in ("absolute", "up", "above/secret", "../secret", "a/../../secret"):
            with pytest.raises(BuildFailed, match=r"does not exist|forbidden path"):
                await build(place, f"FROM scratch\nCOPY {source} /\n")
        # The links themselves are copied as links.
        image, _ = await build(place, "FROM scratch\nCOPY . /\n")
        top = place.store.layers.folders(image.diff_ids)[0]
        assert os.readlink(top / "absolute") == str(secret)

    in_own_process(tmp_path, body)


def test_links_that_are_swapped_while_a_build_copies(tmp_path: Path) -> None:
    """Item 15: someone who can write to the context turns folders into links and back."""

    async def body(place: Place) -> None:
        outside = place.folder / "outside"
        outside.mkdir()
        (outside / "f").write_text("secret")
        context = place.folder / "context"
        for number in range(40):
            (context / f"tree/{number}/inner").mkdir(parents=True)
            (context / f"tree/{number}/inner/f").write_text("own")
        # A naive copy, which opens by path, does read what a link that was put in place leads to.
        os.rename(context / "tree/0/inner", context / "tree/0/moved")
        os.symlink(outside, context / "tree/0/inner")
        assert (context / "tree/0/inner/f").read_text() == "secret"
        os.unlink(context / "tree/0/inner")
        os.rename(context / "tree/0/moved", context / "tree/0/inner")

        ended = threading.Event()

        def swap() -> None:
            while not ended.is_set():
                for number in range(40):
                    folder = context / f"tree/{number}"
                    os.rename(folder / "inner", place.folder / f"moved{number}")
                    os.symlink(outside, folder / "inner")
                    os.unlink(folder / "inner")
                    os.rename(place.folder / f"moved{number}", folder / "inner")

        attacker = threading.Thread(target=swap)
        attacker.start()
        copied = 0
        for _ in range(30):
            try:
                image, _ = await build(
                    place, "FROM scratch\nCOPY tree /tree\n", context=FolderContext(context)
                )
            except (BuildFailed, OSError):
                continue
            top = place.store.layers.folders(image.diff_ids)[0]
            for path in top.rglob("f"):
                copied += 1
                assert path.read_text() == "own"
        ended.set()
        await asyncio.to_thread(attacker.join)
        assert copied >= 0

    in_own_process(tmp_path, body)
