"""Builds as a method on the engine's socket."""

from pathlib import Path

import msgspec

from sampan.engine.build.builder import Builder, BuildPlan
from sampan.engine.build.cache import BuildCache
from sampan.engine.build.dockerfile import SIZE_LIMIT, parse_dockerfile
from sampan.engine.build.errors import BuildFailed
from sampan.engine.build.patterns import parse_ignore_rules
from sampan.engine.build.run_step import StepRunner
from sampan.engine.build.stages import split_stages
from sampan.engine.build.workspace import Workspace, clear_workspaces
from sampan.engine.images.store import ImageStore
from sampan.engine.service.server import Call, Handler
from sampan.host import paths


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
    def __init__(self, store: ImageStore, runner: StepRunner) -> None:
        self._store = store
        self._runner = runner
        self._cache = BuildCache(store.folder / "build-cache")
        self._workspaces = store.folder / "builds"

    def handlers(self) -> dict[str, Handler]:
        return {"images.build": self._build}

    async def recover(self) -> None:
        """Clear away what an interrupted process left. Raises EngineError, OSError."""
        await self._runner.recover()
        clear_workspaces(self._workspaces)

    async def _build(self, call: Call) -> dict[str, str]:
        wanted = call.arguments(BuildArguments)
        plan = read_plan(wanted)
        with self._store.pinned() as pins:
            builder = Builder(
                plan,
                self._store,
                workspace=Workspace(self._workspaces, self._store, pins),
                cache=self._cache,
                runner=self._runner,
                tell=(lambda _: None) if wanted.quiet else call.progress,
            )
            digest = await builder.build()
            image = self._store.stored(digest)
            for name in wanted.names:
                await self._store.tag(digest, name)
        return {"digest": digest, "identifier": image.manifest.config.digest}


def read_plan(wanted: BuildArguments) -> BuildPlan:
    """Read the Dockerfile and .dockerignore of a build. Raises BuildFailed."""
    context = Path(wanted.context)
    file = wanted.dockerfile or str(context / "Dockerfile")
    try:
        dockerfile = parse_dockerfile(_read(Path(file)))
    except FileNotFoundError as error:
        raise BuildFailed(f"there is no {file}") from error
    return BuildPlan(
        context=context,
        dockerfile=dockerfile,
        stages=split_stages(dockerfile, wanted.build_arguments),
        target=wanted.target,
        build_arguments=wanted.build_arguments,
        ignored=parse_ignore_rules(_ignore_file(context)),
        use_cache=wanted.use_cache,
        network=wanted.network,
        latest=_epoch(wanted.source_date_epoch),
    )


def _read(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise BuildFailed(f"{path} has more than {SIZE_LIMIT} bytes")
    return data.decode(errors="replace")


def _ignore_file(context: Path) -> str:
    with paths.opened_folder(context) as root:
        try:
            return paths.read_in_root(root, ".dockerignore", SIZE_LIMIT).decode(errors="replace")
        except FileNotFoundError:
            return ""


def _epoch(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise BuildFailed(f"SOURCE_DATE_EPOCH is {text[:40]!r}, which is not a number of seconds")
    return int(text)
