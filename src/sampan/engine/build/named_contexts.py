"""Named contexts in the place of stages and base images. Pure.

Source: the Dockerfile reference and `docker buildx build --build-context`: a name stands for a
stage of that name, and for what FROM, COPY --from and mounts would otherwise take from a registry.
"""

from collections.abc import Collection, Mapping

import msgspec

from sampan.engine.build.dockerfile import Instruction
from sampan.engine.build.stages import SCRATCH, Stage, Stages
from sampan.engine.images.reference import InvalidReference, familiar, parse_reference

_LATEST = ":latest"


def context_key(name: str) -> str:
    """How a context's name is compared: `docker.io/library/alpine:latest` is `alpine`."""
    try:
        return familiar(parse_reference(name).tagged).removesuffix(_LATEST)
    except InvalidReference:
        return name


def with_contexts(stages: Stages, folders: Collection[str], images: Mapping[str, str]) -> Stages:
    """Folders are copied onto nothing; images are what is started from instead."""
    return msgspec.structs.replace(
        stages, stages=tuple(_replaced(stages, stage, folders, images) for stage in stages.stages)
    )


def _replaced(
    stages: Stages, stage: Stage, folders: Collection[str], images: Mapping[str, str]
) -> Stage:
    if stage.name in (*folders, *images):
        bare = msgspec.structs.replace(stage, instructions=())
        return _from(bare, stage.name, images)
    key = context_key(stage.base)
    if stages.find(stage.base, stage.number) is None and key in (*folders, *images):
        return _from(stage, key, images)
    return stage


def _from(stage: Stage, name: str, images: Mapping[str, str]) -> Stage:
    if name in images:
        return msgspec.structs.replace(stage, base=images[name])
    copied = Instruction(
        line=stage.start.line,
        name="COPY",
        text="/ /",
        original=f"COPY --from={name} / /",
        flags=(("from", name),),
    )
    return msgspec.structs.replace(stage, base=SCRATCH, instructions=(copied, *stage.instructions))
