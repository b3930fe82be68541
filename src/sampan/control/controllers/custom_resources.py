"""Lets the controllers see custom resources: their objects own others, are owned, and lie in
namespaces like those of built-in kinds.

It follows the definitions; each that is established has the metadata of its objects in the
common caches, in one of the versions that are served.
"""

import asyncio
from typing import Any

import msgspec

from sampan.control.controllers.caches import Caches
from sampan.foundation import tasks
from sampan.kubernetes.client.contract import Client
from sampan.kubernetes.client.informer import Informer
from sampan.kubernetes.kinds.resource import CUSTOM_RESOURCE_DEFINITIONS, Resource
from sampan.kubernetes.machinery.metadata import Metadata
from sampan.kubernetes.machinery.versions import preferred_first


class _Names(msgspec.Struct, frozen=True):
    plural: str
    kind: str


class _Version(msgspec.Struct, frozen=True):
    name: str
    served: bool


class _Spec(msgspec.Struct, frozen=True):
    group: str
    names: _Names
    scope: str
    versions: tuple[_Version, ...]


class _Condition(msgspec.Struct, frozen=True):
    type: str
    status: str


class _Status(msgspec.Struct, frozen=True):
    conditions: tuple[_Condition, ...] = ()


class DefinitionView(msgspec.Struct, frozen=True):
    """What of a CustomResourceDefinition is read here."""

    metadata: Metadata
    spec: _Spec
    status: _Status = _Status()

    @property
    def versions(self) -> tuple[str, ...]:
        """The served versions, the preferred one first; none before it is established."""
        if _Condition("Established", "True") not in self.status.conditions:
            return ()
        return tuple(preferred_first(it.name for it in self.spec.versions if it.served))


class _Followed(msgspec.Struct, frozen=True):
    versions: tuple[str, ...]
    resource: Resource
    informer: Informer[Any]


class CustomResources:
    """Keeps the caches of custom resources, from `start` to `close`."""

    def __init__(self, client: Client, caches: Caches) -> None:
        self._client = client
        self._caches = caches
        self._followed: dict[str, _Followed] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._definitions = Informer(client, CUSTOM_RESOURCE_DEFINITIONS, DefinitionView)
        self._definitions.on_change(self._changed)

    async def start(self) -> None:
        """Return once the objects of all definitions that are there are in the caches."""
        self._definitions.start()
        await self._definitions.synced.wait()
        present = [followed.informer for followed in self._followed.values()]
        await asyncio.gather(*(informer.synced.wait() for informer in present))

    async def close(self) -> None:
        await self._definitions.close()
        for name in tuple(self._followed):
            self._drop(name)
        for task in tuple(self._closing):
            await tasks.end(task)

    def _changed(self, old: DefinitionView | None, new: DefinitionView | None) -> None:
        definition = new or old
        assert definition is not None
        name = definition.metadata.name
        versions = new.versions if new is not None else ()
        before = self._followed.get(name)
        if before is not None and before.versions != versions:
            self._drop(name)
        if versions and name not in self._followed:
            self._follow(definition, versions)

    def _follow(self, definition: DefinitionView, versions: tuple[str, ...]) -> None:
        spec = definition.spec
        namespaced = spec.scope == "Namespaced"
        names = spec.names
        resource = Resource(spec.group, versions[0], names.plural, names.kind, namespaced)
        cache = self._caches.add(resource, versions[1:])
        view: Any = cache.view
        informer: Informer[Any] = Informer(self._client, resource, view)
        informer.on_change(cache.change)
        informer.start()
        self._followed[definition.metadata.name] = _Followed(versions, resource, informer)

    def _drop(self, name: str) -> None:
        followed = self._followed.pop(name)
        self._caches.drop(followed.resource)
        task = asyncio.create_task(followed.informer.close(), name=f"end of {name}")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
