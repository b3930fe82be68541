"""Being told of changes in a folder."""

import asyncio
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
