"""Builds in a test's own place: what comes out, and what was printed meanwhile."""

import shutil
from pathlib import Path

from gathering import ACCOUNTS, machine_files
from isolation import Place

from sampan.engine.build.classic_progress import classic_progress
from sampan.engine.build.contract import (
    BuildRequest,
    ClassicMessage,
    ClassicText,
    ClientSources,
    Context,
    FolderContext,
)
from sampan.engine.build.machine_builds import MachineBuilds
from sampan.engine.build.outputs import StoreOutput
from sampan.engine.build.run_step import StepRunner
from sampan.engine.images.store import ImageStore, StoredImage


async def builds_of(
    place: Place, store: ImageStore | None = None, **changes: object
) -> MachineBuilds:
    runner = StepRunner(place.folder / "builds", f"{place.cgroup}/builds", "/usr/bin/crun")
    builds = MachineBuilds(store or place.store, runner, **changes)
    await builds.recover()
    return builds


async def build(
    place: Place,
    content: str,
    *,
    store: ImageStore | None = None,
    context: Context | None = None,
    sources: ClientSources | None = None,
    **changes: object,
) -> tuple[StoredImage, str]:
    """Build with a context in `place`; the image and what was printed."""
    folder = place.folder / "context"
    folder.mkdir(exist_ok=True)
    used = store or place.store
    told: list[ClassicMessage] = []
    request = BuildRequest(
        dockerfile_content=content.encode() or None,
        **{"outputs": named("built"), "network": "none"} | changes,
    )
    builds = await builds_of(place, used)
    built = await builds.build(
        request, context or FolderContext(folder), classic_progress(told.append), sources
    )
    assert not list((used.folder / "builds").iterdir())
    text = "".join(message.text for message in told if isinstance(message, ClassicText))
    return used.resolve(built.identifier), text


def named(name: str) -> tuple[StoreOutput, ...]:
    """What is wanted of a build: an image in the store, with a name."""
    return (StoreOutput(names=(name,)),)


def add_root(folder: Path) -> None:
    """The machine's own programs, below `root/`."""
    for name, source in machine_files().items():
        (folder / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, folder / "root" / name)
    for name, text in ACCOUNTS.items():
        (folder / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "root" / name).write_text(text)
