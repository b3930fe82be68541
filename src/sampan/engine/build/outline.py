"""What a Dockerfile offers, told without building it: its stages, and what one of them takes. Pure.

Source: BuildKit's subrequests `frontend.targets` and `frontend.outline`, whose documents these are.
"""

from collections.abc import Iterator, Mapping

import msgspec

from sampan.engine.build.arguments import defaults, platform_arguments
from sampan.engine.build.dockerfile import Instruction, parse_dockerfile
from sampan.engine.build.run_mounts import RunMount, parse_run_mounts
from sampan.engine.build.stages import Stage, Stages, split_stages
from sampan.engine.build.syntax import check_syntax
from sampan.engine.images.platforms import machine_platform


class TargetTold(msgspec.Struct, omit_defaults=True):
    name: str = ""
    default: bool = False
    base: str = ""
    platform: str = ""


class ArgumentTold(msgspec.Struct, omit_defaults=True):
    name: str
    value: str = ""


class ClientSourceTold(msgspec.Struct, omit_defaults=True):
    """A secret or an agent."""

    name: str
    required: bool = False


class CacheTold(msgspec.Struct):
    ID: str


class Targets(msgspec.Struct):
    targets: tuple[TargetTold, ...]
    sources: tuple[bytes, ...]


class Outline(msgspec.Struct, omit_defaults=True):
    name: str = ""
    args: tuple[ArgumentTold, ...] = ()
    secrets: tuple[ClientSourceTold, ...] = ()
    ssh: tuple[ClientSourceTold, ...] = ()
    cache: tuple[CacheTold, ...] = ()
    sources: tuple[bytes, ...] = ()


def targets_of(dockerfile: bytes, given: Mapping[str, str | None]) -> Targets:
    """The stages, the last being what is built when none is named. Raises BuildFailed."""
    stages = _read(dockerfile, given, "")[0].stages
    told = tuple(
        TargetTold(stage.name, stage is stages[-1], stage.base, stage.platform) for stage in stages
    )
    return Targets(told, (dockerfile,))


def outline_of(dockerfile: bytes, target: str, given: Mapping[str, str | None]) -> Outline:
    """What the stages take that `target`, "" being the last, needs. Raises BuildFailed."""
    stages, escape = _read(dockerfile, given, target)
    wanted = stages.target(target)
    needed = stages.needed(wanted)
    values: dict[str, str] = dict(stages.arguments)
    for instruction in (*stages.declarations, *_instructions(needed, "ARG")):
        for name, default in defaults(instruction, values, escape).items():
            values[name] = given.get(name) or default or values.get(name, "")
    mounts = [
        mount
        for instruction in _instructions(needed, "RUN")
        for mount in parse_run_mounts(instruction, lambda text: text, "/")
    ]
    return Outline(
        name=wanted.name,
        args=tuple(ArgumentTold(name, value) for name, value in values.items()),
        secrets=_client_sources(mounts, "secret"),
        ssh=_client_sources(mounts, "ssh"),
        cache=tuple(
            CacheTold(name)
            for name in sorted({one.identifier for one in mounts if one.kind == "cache"})
        ),
        sources=(dockerfile,),
    )


def _read(dockerfile: bytes, given: Mapping[str, str | None], target: str) -> tuple[Stages, str]:
    parsed = parse_dockerfile(dockerfile.decode(errors="surrogateescape"))
    check_syntax(parsed)
    machine = machine_platform()
    stages = split_stages(parsed, given, platform_arguments(machine, machine, target))
    return stages, parsed.escape


def _instructions(stages: list[Stage], name: str) -> Iterator[Instruction]:
    return (one for stage in stages for one in stage.instructions if one.name == name)


def _client_sources(mounts: list[RunMount], kind: str) -> tuple[ClientSourceTold, ...]:
    """By their names, required where any mount says so."""
    found: dict[str, bool] = {}
    for mount in mounts:
        if mount.kind == kind:
            name = mount.identifier or "default"
            found[name] = found.get(name, False) or mount.required
    return tuple(ClientSourceTold(name, required) for name, required in found.items())
