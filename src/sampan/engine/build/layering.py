"""Adding a step's layer to a stage: from an earlier build, from an image, or made now.

A step's layer is taken from what is there when all that it depends on is the same: the layers
below, the step itself, and the contents of what it copies. The result then has the same digest
to the last bit, since no time goes into it but those of its layers.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from sampan.engine.build.cache import BuildCache, CachedStep, cache_key
from sampan.engine.build.cache_exchange import CacheImports
from sampan.engine.build.history import Style, Told
from sampan.engine.build.stage_state import StageState
from sampan.engine.build.workspace import View, Workspace
from sampan.engine.images.documents import LAYER_TYPE, Descriptor, encode
from sampan.engine.images.layers import chain_identifiers
from sampan.engine.images.store import ImageStore, StoredImage

MakeLayer = Callable[[View], Awaitable[None]]


class Layering:
    """`latest` is SOURCE_DATE_EPOCH; `donors` are images whose layers may be taken; `used` gets
    the records of the cache that the steps needed. Of what isn't in the machine's own `cache`,
    `imports` may know."""

    def __init__(
        self,
        store: ImageStore,
        workspace: Workspace,
        cache: BuildCache,
        imports: CacheImports,
        *,
        donors: Sequence[StoredImage],
        style: Style,
        latest: int | None,
        clock: Callable[[], float],
        used: dict[str, CachedStep],
    ) -> None:
        self._store = store
        self._workspace = workspace
        self._cache = cache
        self._imports = imports
        self._donors = donors
        self._style = style
        self._latest = latest
        self._clock = clock
        self._used = used

    async def change(self, state: StageState, told: Told, *, use_cache: bool) -> bool:
        """A step that leaves no layer; whether it was known. `state` has its configuration."""
        inputs = ("change", told.classic, encode(state.execution).decode())
        return await self.add(state, told, inputs, None, use_cache=use_cache)

    async def add(
        self,
        state: StageState,
        told: Told,
        inputs: tuple[Any, ...],
        make: MakeLayer | None,
        *,
        use_cache: bool,
        independent: bool = False,
    ) -> bool:
        """Add a step, with the layer that `make` writes; whether an earlier one was taken.

        An `independent` layer does not look at those below it. Raises what `make` raises,
        InvalidImage, OSError.
        """
        below = "" if independent else state.chain
        platform = [state.platform.os, state.platform.architecture, state.platform.variant]
        key = cache_key(below, platform, self._latest, inputs)
        known = await self._imports.find(key) if use_cache else None
        taken = known is not None
        donated = None if taken or not use_cache else self._donated(state, told, key)
        if donated is not None:
            await self._add_donated(state, told, key, *donated)
            return True
        if known is None:
            known = await self._made(state, told, make, independent=independent)
            self._cache.keep(key, known)
        self._used[key] = known
        await self._add_known(state, told, key, known)
        return taken

    async def _add_known(self, state: StageState, told: Told, key: str, known: CachedStep) -> None:
        layer = None
        if known.diff_id:
            await self._workspace.unpack((*state.diff_ids, known.diff_id))
            layer = Descriptor(media_type=LAYER_TYPE, digest=known.diff_id, size=known.size)
        entry = told.entry(self._style, known.created, state.author, is_empty=layer is None)
        state.add_step(entry, key, layer, known.diff_id)

    def _donated(self, state: StageState, told: Told, key: str) -> tuple[StoredImage, int] | None:
        """An image that has this very step, and the step's place in its history.

        One with an inline cache has its key. Of another the words must tell, and those of all
        steps before it; only the classic builder's tell files by their contents.
        """
        for image in self._donors:
            keys = image.configuration.build_cache
            history = image.configuration.history
            if len(keys) == len(history) and key in keys:
                return image, keys.index(key)
            place = len(state.history)
            layers = len(state.diff_ids)
            if (
                not keys
                and len(history) > place
                and image.diff_ids[:layers] == tuple(state.diff_ids)
                and history[place].created_by == told.classic
                and all(
                    (one.created_by, one.empty_layer) == (other.created_by, other.empty_layer)
                    for one, other in zip(history, state.history, strict=False)
                )
            ):
                return image, place
        return None

    async def _add_donated(
        self, state: StageState, told: Told, key: str, image: StoredImage, place: int
    ) -> None:
        history = image.configuration.history
        step = history[place]
        entry = told.entry(self._style, step.created, state.author, is_empty=step.empty_layer)
        if step.empty_layer:
            state.add_step(entry, key, None, "")
            return
        number = sum(not earlier.empty_layer for earlier in history[:place])
        layer = image.manifest.layers[number]
        diff_ids = (*state.diff_ids, image.diff_ids[number])
        await self._store.unpack_layer(diff_ids, layer.digest)
        state.add_step(entry, key, layer, diff_ids[-1])

    async def _made(
        self, state: StageState, told: Told, make: MakeLayer | None, *, independent: bool
    ) -> CachedStep:
        layer = None
        if make is not None:
            diff_ids = () if independent else tuple(state.diff_ids)
            async with self._workspace.view(diff_ids) as view:
                await make(view)
                layer = await self._workspace.keep(view, self._latest)
        now = self._clock()
        moment = now if self._latest is None else self._latest
        created = datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")
        step = CachedStep(
            created=created.replace("+00:00", "Z"),
            told=told.buildkit,
            below=state.chain,
            made=now,
            used=now,
        )
        if layer is None:
            return step
        chain = chain_identifiers((*state.diff_ids, layer.digest))[-1]
        return msgspec.structs.replace(step, diff_id=layer.digest, size=layer.size, chain=chain)
