"""The images of a build's steps, as the classic builder leaves them: what `docker images --all`
shows, and what a failed build can be looked into with.

They are two small documents each and share all layers. They come into the store together, when
the build is done or has failed; one that is ended leaves none. With the image that was made from
them they go again.
"""

import asyncio

import msgspec

from sampan.engine.build.stage_state import StageState
from sampan.engine.images.documents import Descriptor, ImageConfiguration
from sampan.engine.images.pins import PinSet
from sampan.engine.images.store import ImageStore


class _Made(msgspec.Struct, frozen=True):
    identifier: str
    parent: str
    configuration: ImageConfiguration
    layers: tuple[Descriptor, ...]


class StepImages:
    def __init__(self, store: ImageStore, pins: PinSet) -> None:
        self._store = store
        self._pins = pins
        self._made: list[_Made] = []

    def add(self, state: StageState, parent: str) -> str:
        """The image as an instruction left it; its identifier."""
        made = _Made(state.identifier(), parent, state.configuration(), tuple(state.blobs))
        self._made.append(made)
        return made.identifier

    async def keep(self) -> None:
        """Bring those that aren't known yet into the store. Raises OSError, InvalidImage."""
        fresh = [made for made in self._made if self._store.identified(made.identifier) is None]
        if fresh:
            await self._store.keep_all(await asyncio.to_thread(self._written, fresh))

    def _written(self, fresh: list[_Made]) -> dict[str, str]:
        return {
            self._store.add_manifest(made.configuration, made.layers, self._pins): made.parent
            for made in fresh
        }
