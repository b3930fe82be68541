"""How far a stage has come: the image that it would be if it ended here. Pure."""

import msgspec

from sampan.engine.build.metadata import variables_of
from sampan.engine.images.documents import (
    Descriptor,
    ExecutionConfiguration,
    History,
    ImageConfiguration,
    Platform,
    RootFilesystem,
    digest_of,
    encode,
)
from sampan.engine.images.layers import chain_identifiers
from sampan.engine.images.store import StoredImage

EPOCH = "1970-01-01T00:00:00Z"


class StageState(msgspec.Struct):
    """`blobs` may be compressed, `diff_ids` name what is in them; `base` is the identifier of
    what the stage starts from. `sets_command` tells that the stage itself has a CMD."""

    platform: Platform
    execution: ExecutionConfiguration = ExecutionConfiguration()
    blobs: list[Descriptor] = []
    diff_ids: list[str] = []
    created: str = EPOCH
    author: str = ""
    history: list[History] = []
    keys: list[str] = []
    arguments: dict[str, str] = {}
    base: str = ""
    sets_command: bool = False
    is_changed: bool = False

    @property
    def variables(self) -> dict[str, str]:
        """What instructions may refer to: ENV hides ARG."""
        return self.arguments | variables_of(self.execution)

    @property
    def chain(self) -> str:
        return chain_identifiers(self.diff_ids)[-1] if self.diff_ids else ""

    def configuration(self, *, with_keys: bool = False) -> ImageConfiguration:
        """That of the image; `with_keys` lets it lend its layers to later builds."""
        return ImageConfiguration(
            created=self.created,
            author=self.author,
            architecture=self.platform.architecture,
            variant=self.platform.variant,
            os=self.platform.os,
            config=self.execution,
            rootfs=RootFilesystem(diff_ids=tuple(self.diff_ids)),
            history=tuple(self.history),
            build_cache=tuple(self.keys) if with_keys else (),
        )

    def identifier(self) -> str:
        """That of the image; "" as long as nothing is in it."""
        if not self.is_changed:
            return self.base
        return digest_of(encode(self.configuration()))

    def add_step(self, entry: History, key: str, layer: Descriptor | None, diff_id: str) -> None:
        """Take in what a step left: a line of history, and perhaps a layer."""
        self.history.append(entry)
        self.keys.append(key)
        self.created = entry.created
        self.is_changed = True
        if layer is not None:
            self.blobs.append(layer)
            self.diff_ids.append(diff_id)

    def following(self) -> "StageState":
        """The start of a stage that begins with this one."""
        return msgspec.structs.replace(
            self,
            blobs=[*self.blobs],
            diff_ids=[*self.diff_ids],
            history=[*self.history],
            keys=[*self.keys],
            arguments={},
            base=self.identifier(),
            sets_command=False,
            is_changed=False,
        )


def state_of_image(image: StoredImage) -> StageState:
    configuration = image.configuration
    return StageState(
        platform=Platform(configuration.architecture, configuration.os, configuration.variant),
        execution=configuration.execution,
        blobs=[*image.manifest.layers],
        diff_ids=[*image.diff_ids],
        created=configuration.created or EPOCH,
        author=configuration.author,
        history=[*configuration.history],
        keys=[""] * len(configuration.history),
        base=image.identifier,
    )
