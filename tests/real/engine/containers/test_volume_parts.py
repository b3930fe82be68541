"""A part of a volume that a neighbour swaps for a link while it is mounted or copied."""

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

import pytest
from isolation import Place, in_own_process
from stage import Stage, created, opened

from sampan.engine.containers.configuration import Mount, VolumeOptions
from sampan.engine.containers.contract import LogOptions
from sampan.engine.contract import EngineError

pytestmark = pytest.mark.real

_ROUNDS = 12
_PART = Mount(
    kind="volume", source="shared", target="/part", volume_options=VolumeOptions(subpath="part")
)


async def copied_out(stage: Stage, path: str) -> bytes:
    try:
        _, stream = await stage.containers.get_archive("victim", path)
        return b"".join([piece async for piece in stream])
    except (EngineError, OSError):
        return b""


async def shown(stage: Stage) -> str:
    """What a container that mounts the part sees there."""
    with contextlib.suppress(EngineError):
        await stage.containers.start("victim")
    await stage.containers.wait("victim", "not-running")
    log = [entry.data async for entry in stage.containers.logs("victim", LogOptions())]
    return b"".join(log).decode()


def test_a_part_is_mounted_and_copied(tmp_path: Path) -> None:
    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        part = place.folder / "volumes/shared/part"
        part.mkdir(parents=True)
        (part / "own").write_text("what belongs to it")
        await created(stage, "cat /part/own; sleep 100", "victim", host={"mounts": (_PART,)})
        await stage.containers.start("victim")
        assert b"what belongs to it" in await copied_out(stage, "/part/own")
        assert not list((place.folder / "volume-parts").iterdir())
        await stage.containers.remove("victim", force=True)
        await stage.close()

    in_own_process(tmp_path, body)


def test_a_part_that_is_swapped_shows_nothing_of_the_host(tmp_path: Path) -> None:
    """The same swaps lead a check and a use of the name out."""
    outside = tmp_path / "outside"

    async def body(place: Place) -> None:
        await place.add_image()
        stage = await opened(place)
        outside.mkdir()
        (outside / "secret").write_text("hidden on the host")
        volume = place.folder / "volumes/shared"
        (volume / "part").mkdir(parents=True)
        (volume / "part" / "own").touch()
        (volume / "link").symlink_to(outside)
        swapping = await _swapping(volume)
        try:
            assert await asyncio.to_thread(_is_led_out, volume)
            await created(stage, "ls /part", "victim", host={"mounts": (_PART,)})
            for _ in range(_ROUNDS):
                assert "secret" not in await shown(stage)
                for path in ("/part", "/part/secret", "/part/."):
                    assert b"hidden on the host" not in await copied_out(stage, path)
        finally:
            swapping.kill()
            await swapping.wait()
        await stage.containers.remove("victim", force=True)
        assert not list((place.folder / "volume-parts").iterdir())
        await stage.close()

    in_own_process(tmp_path, body)


async def _swapping(volume: Path) -> asyncio.subprocess.Process:
    """A program that exchanges the part and the link for as long as it lives."""
    program = (
        "import ctypes, sys; libc = ctypes.CDLL(None); a, b = map(str.encode, sys.argv[1:])\n"
        "while True: libc.renameat2(-100, a, -100, b, 2)"
    )
    names = (str(volume / "part"), str(volume / "link"))
    return await asyncio.create_subprocess_exec(sys.executable, "-c", program, *names)


def _is_led_out(volume: Path) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            checked = (volume / "part").resolve(strict=True).is_relative_to(volume)
            if checked and "secret" in os.listdir(volume / "part"):
                return True
    return False
