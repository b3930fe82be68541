"""Being told of changes in a folder."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sampan.host.inotify import IN_CLOSE_WRITE, IN_MOVED_TO, FolderWatch


def test_changes_are_told_by_name(tmp_path: Path) -> None:
    async def scenario() -> set[str]:
        seen: set[str] = set()
        both = asyncio.Event()

        def changed(names: set[str]) -> None:
            seen.update(names)
            if {"written", "moved"} <= seen:
                both.set()

        watch = FolderWatch(tmp_path, IN_CLOSE_WRITE | IN_MOVED_TO, changed)
        (tmp_path / "written").write_text("x")
        (tmp_path / "written").rename(tmp_path / "moved")
        await asyncio.wait_for(both.wait(), 5)
        watch.close()
        watch.close()
        return seen

    assert asyncio.run(scenario()) == {"written", "moved"}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(FileNotFoundError):
            FolderWatch(tmp_path / "none", IN_MOVED_TO, lambda _: None)

    asyncio.run(scenario())


def test_watches_share_what_the_kernel_gives_few_of(tmp_path: Path) -> None:
    async def scenario() -> list[set[str]]:
        seen: list[set[str]] = [set() for _ in range(300)]
        told = asyncio.Event()

        def noting(number: int) -> Callable[[set[str]], None]:
            def changed(names: set[str]) -> None:
                seen[number] |= names
                if all(seen):
                    told.set()

            return changed

        before = len(os.listdir("/proc/self/fd"))
        watches = []
        for number in range(300):
            folder = tmp_path / str(number // 2)
            folder.mkdir(exist_ok=True)
            # Two on each folder, that ask for different things.
            mask = IN_MOVED_TO if number % 2 else IN_CLOSE_WRITE
            watches.append(FolderWatch(folder, mask, noting(number)))
        assert len(os.listdir("/proc/self/fd")) == before + 1
        for number in range(150):
            file = tmp_path / str(number) / "written"
            file.write_text("x")
            file.rename(file.with_name("moved"))
        await asyncio.wait_for(told.wait(), 10)
        for watch in watches:
            watch.close()
        assert len(os.listdir("/proc/self/fd")) == before
        return seen

    seen = asyncio.run(scenario())
    assert all(names == {"moved" if number % 2 else "written"} for number, names in enumerate(seen))
