"""Builds as a method on the engine's socket."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from sampan.engine.build.arguments import DATE_ARGUMENT
from sampan.engine.build.classic_progress import classic_progress
from sampan.engine.build.contract import (
    BuildRequest,
    ClassicMessage,
    ClassicText,
    FolderContext,
)
from sampan.engine.build.dockerfile import SIZE_LIMIT
from sampan.engine.build.machine_builds import MachineBuilds
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.service.server import Call, Handler


class BuildArguments(msgspec.Struct, frozen=True, kw_only=True):
    """`context` is a folder of this machine; an empty `dockerfile` is the one in it."""

    context: str
    dockerfile: str = ""
    names: tuple[str, ...] = ()
    build_arguments: dict[str, str] = {}
    target: str = ""
    use_cache: bool = True
    network: str = "none"
    quiet: bool = False
    source_date_epoch: str = ""


class BuildService:
    """The private socket's way to builds that somebody else owns."""

    def __init__(self, builds: MachineBuilds) -> None:
        self._builds = builds

    def handlers(self) -> dict[str, Handler]:
        return {"images.build": self._build}

    async def _build(self, call: Call) -> dict[str, str]:
        wanted = call.arguments(BuildArguments)
        arguments: dict[str, str | None] = {**wanted.build_arguments}
        if wanted.source_date_epoch:
            arguments[DATE_ARGUMENT] = wanted.source_date_epoch
        request = BuildRequest(
            dockerfile_content=_read(wanted.dockerfile) if wanted.dockerfile else None,
            names=wanted.names,
            build_arguments=arguments,
            target=wanted.target,
            use_cache=wanted.use_cache,
            network=wanted.network,
        )
        tell = _lines((lambda _: None) if wanted.quiet else call.progress)
        identifier = await self._builds.build(
            request, FolderContext(Path(wanted.context)), classic_progress(tell)
        )
        return {"digest": identifier, "identifier": identifier}


def _read(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except FileNotFoundError as error:
        raise InvalidConfiguration(f"Cannot locate specified Dockerfile: {name}") from error


def _lines(progress: Callable[[str], None]) -> Callable[[ClassicMessage], None]:
    """The lines of what a build prints."""

    def tell(message: ClassicMessage) -> None:
        if isinstance(message, ClassicText):
            for line in message.text.rstrip("\n").split("\n"):
                progress(line)

    return tell
