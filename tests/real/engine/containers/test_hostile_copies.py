"""What a container tries while its files are copied: links that change under the copy's feet."""

import contextlib
import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from isolation import Place, in_own_process
from stage import Stage, created, opened

from sampan.engine.contract import EngineError, InvalidConfiguration

pytestmark = pytest.mark.real

_ROUNDS = 60


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


def archive(*headers: tuple[str, bytes, str]) -> bytes:
    """Entries of a name, a type and where a link leads."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, kind, link in headers:
            header = tarfile.TarInfo(name)
            header.type, header.linkname = kind, link
            header.size = 4 if kind == tarfile.REGTYPE else 0
            made.addfile(header, io.BytesIO(b"evil"))
    return out.getvalue()


async def copied_out(stage: Stage, path: str) -> bytes:
    try:
        _, stream = await stage.containers.get_archive("one", path)
        return b"".join([piece async for piece in stream])
    except (EngineError, OSError):
        return b""


def test_a_link_that_is_swapped_meanwhile_leads_nowhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret"

    async def body(place: Place) -> None:
        secret.mkdir()
        (secret / "word").write_text("hidden on the host")
        await place.add_image()
        stage = await opened(place)
        swap = f"rm -rf /swap; mkdir /swap; rm -rf /swap; ln -s {secret} /swap"
        await created(stage, f"while :; do {swap}; done", "one")
        await stage.containers.start("one")
        data = archive(("planted", tarfile.REGTYPE, ""))
        refused = 0
        for _ in range(_ROUNDS):
            try:
                await stage.containers.put_archive("one", "/swap", pieces(data))
            except EngineError:
                refused += 1
            for path in ("/swap", "/swap/word", "/swap/."):
                assert b"hidden on the host" not in await copied_out(stage, path)
        assert refused > 0
        assert [path.name for path in secret.iterdir()] == ["word"]
        await stage.containers.remove("one", force=True)
        await stage.close()

    in_own_process(tmp_path, body)


def test_archives_write_through_no_link_out_of_the_root(tmp_path: Path) -> None:
    secret = tmp_path / "secret"

    async def body(place: Place) -> None:
        secret.mkdir()
        await place.add_image()
        stage = await opened(place)
        await created(stage, "true", "one")
        for link in (str(secret), "../../../../../.." + str(secret), f"/proc/1/root{secret}"):
            data = archive(("out", tarfile.SYMTYPE, link), ("out/x", tarfile.REGTYPE, ""))
            await _refused_or_inside(stage, data)
            data = archive(("hard", tarfile.LNKTYPE, f"{secret}/word"))
            await _refused_or_inside(stage, data)
        data = archive(("device", tarfile.CHRTYPE, ""))
        with pytest.raises(InvalidConfiguration, match="device"):
            await stage.containers.put_archive("one", "/", pieces(data))
        assert not list(secret.iterdir())
        await stage.containers.remove("one")
        await stage.close()

    in_own_process(tmp_path, body)


async def _refused_or_inside(stage: Stage, data: bytes) -> None:
    """What a link leads to within the root may be written, as the container could do itself."""
    with contextlib.suppress(EngineError):
        await stage.containers.put_archive("one", "/", pieces(data))
