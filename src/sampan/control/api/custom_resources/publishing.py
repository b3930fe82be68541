"""Serves what definitions define: names accepted, resources served, and all of it taken away.

Theory: each change of a definition wakes its name; settling a name brings what is served in line
with the definition as it is then, and may be done any number of times. A resource is served
before its definition says Established. One that is being deleted takes nothing new, loses its
objects, and then its finalizer. At the start everything established is served before the first
request is answered.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import CacheEvent, StoredObject
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.custom_resources.acceptance import ESTABLISHED, next_status, taken_names
from sampan.control.api.custom_resources.definition import (
    Claim,
    Definition,
    claim_of,
    definition_of,
    with_status,
)
from sampan.control.api.custom_resources.kinds import ConversionTo, kinds_of, resource_of
from sampan.control.api.refusal import Refused
from sampan.control.api.writing.deleting import DeleteOptions, marked
from sampan.control.api.writing.writer import Writer
from sampan.foundation import tasks
from sampan.kubernetes.client.queue import WorkQueue
from sampan.kubernetes.kinds.apiextensions.custom_resource_definitions import CLEANUP
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.kinds.resource import CUSTOM_RESOURCE_DEFINITIONS, Resource
from sampan.store.contract import StoreError

_RETRY_SECONDS = 1.0
_QUICK_SCHEMA = 16 << 10
_log = logging.getLogger("sampan.api.custom_resources")


class Served(msgspec.Struct, frozen=True):
    """What is served of a definition: `mark` tells its versions apart."""

    mark: bytes
    place: Resource


class CustomResources:
    """`load` what is established, then `start` to follow the definitions."""

    def __init__(
        self,
        writer: Writer,
        cache: WatchCache,
        kinds: Kinds,
        clock: Callable[[], datetime],
        webhook: Callable[[Definition], ConversionTo],
    ) -> None:
        self._writer = writer
        self._cache = cache
        self._kinds = kinds
        self._clock = clock
        self._webhook = webhook
        self._served: dict[str, Served] = {}
        self._claims: dict[str, Claim] = {}
        self._emptying: dict[Resource, str] = {}
        self._queue = WorkQueue[str]()
        self._task: asyncio.Task[None] | None = None
        cache.on_event(self._note)

    async def load(self) -> None:
        """Serve what was served before the server was started."""
        for stored in list(self._cache.of(CUSTOM_RESOURCE_DEFINITIONS).select(Selection())):
            definition = definition_of(stored.data)
            self._claims[definition.name] = claim_of(stored.data)
            try:
                if definition.has(ESTABLISHED):
                    await self._serve(definition)
            except Exception:  # noqa: BLE001 - one definition must not keep the server from starting
                _log.exception("the definition %s can't be served", definition.name)
            self._queue.add(definition.name)

    def start(self) -> None:
        self._task = asyncio.create_task(self._queue.work(self._try), name="custom resources")

    async def close(self) -> None:
        self._queue.close()
        await tasks.end(self._task)
        self._task = None

    def _note(self, kind: Kind, event: CacheEvent) -> None:
        if kind.resource == CUSTOM_RESOURCE_DEFINITIONS:
            changed = event.new or event.old
            assert changed is not None
            if event.new is None:
                self._claims.pop(changed.name, None)
                # Others may have waited for its names.
                for name in self._claims:
                    self._queue.add(name)
            else:
                self._claims[changed.name] = claim_of(event.new.data)
            self._queue.add(changed.name)
        elif event.new is None and kind.resource in self._emptying:
            self._queue.add(self._emptying[kind.resource])

    async def _try(self, name: str) -> None:
        try:
            await self._settle(name)
        except (Refused, StoreError, ConnectionError) as error:
            _log.warning("%s: %s; it is tried again", name, error)
            self._queue.add_after(name, _RETRY_SECONDS)
        except Exception:  # noqa: BLE001 - one definition must not end the service of all
            _log.exception("the definition %s can't be served", name)

    async def _settle(self, name: str) -> None:
        stored = self._cache.of(CUSTOM_RESOURCE_DEFINITIONS).get(f"/{name}")
        if stored is None:
            await self._withdraw(name)
            return
        definition = definition_of(stored.data)
        before = stored.decoded().get("status") or {}
        status = self._next_status(before, definition)
        accepted = with_status(definition, status)
        if accepted.has(ESTABLISHED):
            await self._serve(accepted)
        if status != before:
            await self._write_status(stored)
        if definition.is_terminating:
            await self._empty(definition)

    def _next_status(self, status: Object, definition: Definition) -> Object:
        taken = taken_names(definition, self._claims, self._kinds.built_in)
        return next_status(definition, status, taken, self._clock())

    async def _write_status(self, stored: StoredObject) -> None:
        def change(current: StoredObject) -> Object:
            tree = current.decoded()
            definition = definition_of(current.data)
            tree["status"] = self._next_status(tree.get("status") or {}, definition)
            return tree

        kind = self._kinds.of(CUSTOM_RESOURCE_DEFINITIONS)
        await self._writer.transform(kind, stored.key, change)

    async def _serve(self, definition: Definition) -> None:
        """Serve the definition as it is; what is served already stays untouched."""
        mark = _mark(definition)
        before = self._served.get(definition.name)
        if before is not None and before.mark == mark:
            return
        kinds = await _compiled(definition, self._webhook(definition))
        served = {version.name for version in definition.spec.versions if version.served}
        shown = tuple(kind for kind in kinds if kind.resource.version in served)
        await self._cache.add(
            kinds,
            replacing=before.place if before is not None else None,
            switched=lambda: self._kinds.put(definition.name, shown),
        )
        self._served[definition.name] = Served(mark, kinds[0].resource)

    async def _withdraw(self, name: str) -> None:
        self._kinds.drop(name)
        served = self._served.pop(name, None)
        if served is not None:
            self._emptying.pop(served.place, None)
            await self._cache.remove(served.place)

    async def _empty(self, definition: Definition) -> None:
        """Delete all objects; when none is left, let the definition go."""
        if CLEANUP not in definition.metadata.finalizers:
            return
        home = resource_of(definition, definition.storage.name)
        served = self._served.get(definition.name)
        left = await self._delete_objects(home) if served is not None else 0
        if left:
            self._emptying[home] = definition.name
            return

        def change(current: StoredObject) -> Object:
            tree = current.decoded()
            finalizers: list[Any] = tree["metadata"].get("finalizers") or []
            tree["metadata"]["finalizers"] = [it for it in finalizers if it != CLEANUP]
            return tree

        kind = self._kinds.of(CUSTOM_RESOURCE_DEFINITIONS)
        await self._writer.transform(kind, f"/{definition.name}", change)

    async def _delete_objects(self, home: Resource) -> int:
        """How many objects are left: those that their finalizers keep, or that others changed."""
        cache = self._cache.home(home)
        kind = cache.kind
        for stored in list(cache.select(Selection())):
            tree = marked(kind, stored.decoded(), DeleteOptions(), self._clock())
            if tree is None:
                await self._writer.remove(kind, stored)
            elif tree != stored.decoded():
                await self._writer.commit(kind, stored, tree)
        return len(cache)


async def _compiled(definition: Definition, webhook: ConversionTo) -> tuple[Kind, ...]:
    """The kinds; a large schema is compiled beside the loop."""
    if len(msgspec.json.encode(definition.spec)) <= _QUICK_SCHEMA:
        return kinds_of(definition, webhook)
    return await asyncio.to_thread(kinds_of, definition, webhook)


def _mark(definition: Definition) -> bytes:
    """Two definitions of one mark are served alike: the generation tells of each change."""
    metadata, names = definition.metadata, definition.status.accepted_names
    return msgspec.json.encode((metadata.uid, metadata.generation, names))
