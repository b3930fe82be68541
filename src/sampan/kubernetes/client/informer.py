"""A reader's own copy of a resource, kept current by one list and then a watch.

Theory: list, then watch from the list's resourceVersion. A watch that ends is resumed from
the last version seen, bookmarks included; one that is too old starts over with a list, whose
differences are reported like events. Nothing is polled: between changes the informer sleeps
in the watch. It must not know what its reader does with a change.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

import msgspec

from sampan.foundation import tasks
from sampan.kubernetes.client.contract import ApiError, Client, Expired, RawEvent
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.machinery.metadata import Metadata

FIRST_RETRY_SECONDS = 0.05
LONGEST_RETRY_SECONDS = 1.0

_log = logging.getLogger("sampan.informer")


class View(Protocol):
    """What every projection has."""

    @property
    def metadata(self) -> Metadata: ...


T = TypeVar("T", bound=View)
ChangeCallback = Callable[[T | None, T | None], None]


class _VersionOnly(msgspec.Struct, rename="camel"):
    resource_version: str


class _Bookmark(msgspec.Struct):
    metadata: _VersionOnly


_decode_bookmark = msgspec.json.Decoder(_Bookmark).decode


def object_key(namespace: str, name: str) -> str:
    """The key of an object in `Informer.items`: `namespace/name`, or `name` without one."""
    return f"{namespace}/{name}" if namespace else name


class Informer(Generic[T]):
    """All objects of a resource that match, decoded into `view`, a frozen Struct."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        view: type[T],
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
    ) -> None:
        self._client = client
        self._resource = resource
        self._decode = msgspec.json.Decoder(view).decode
        self._namespace = namespace
        self._selectors = {"label_selector": label_selector, "field_selector": field_selector}
        self._items: dict[str, T] = {}
        self._callbacks: list[ChangeCallback[T]] = []
        self._version = ""
        self._task: asyncio.Task[None] | None = None
        self.items: Mapping[str, T] = MappingProxyType(self._items)
        self.synced = asyncio.Event()

    @property
    def resource_version(self) -> str:
        """The newest version of the collection that `items` reflects."""
        return self._version

    def get(self, namespace: str, name: str) -> T | None:
        return self._items.get(object_key(namespace, name))

    def on_change(self, callback: ChangeCallback[T]) -> None:
        """Call back at each change with what was and what is; None for "not there".

        Objects that are there already are reported at once as new.
        """
        self._callbacks.append(callback)
        for item in tuple(self._items.values()):
            self._call(callback, None, item)

    def start(self) -> None:
        """Begin in the background; a second call does nothing. `synced` tells of the first list."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"informer {self._resource.plural}")

    async def close(self) -> None:
        await tasks.end(self._task)
        self._task = None

    async def _run(self) -> None:
        delay = FIRST_RETRY_SECONDS
        while True:
            before = self._version
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except Expired:
                self._version = ""
            except (ApiError, ConnectionError, msgspec.DecodeError) as error:
                _log.debug("%s: %s; trying again", self._resource.plural, error)
            if self._version and self._version != before:
                delay = FIRST_RETRY_SECONDS
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_RETRY_SECONDS)

    async def _list(self) -> None:
        found = await self._client.list(self._resource, self._namespace, **self._selectors)
        decoded = [item for raw in found.items if (item := self._decoded(raw)) is not None]
        current = {
            object_key(item.metadata.namespace, item.metadata.name): item for item in decoded
        }
        for key in [key for key in self._items if key not in current]:
            self._set(key, None)
        for key, item in current.items():
            old = self._items.get(key)
            if old is None or old.metadata.resource_version != item.metadata.resource_version:
                self._set(key, item)
        self._version = found.resource_version
        self.synced.set()

    async def _watch(self) -> None:
        events = self._client.watch(
            self._resource,
            self._namespace,
            resource_version=self._version,
            **self._selectors,
        )
        async for event in events:
            self._apply(event)

    def _apply(self, event: RawEvent) -> None:
        if event.type == "BOOKMARK":
            self._version = _decode_bookmark(event.object).metadata.resource_version
            return
        item = self._decoded(event.object)
        if item is None:
            return
        metadata = item.metadata
        self._set(
            object_key(metadata.namespace, metadata.name),
            None if event.type == "DELETED" else item,
        )
        self._version = metadata.resource_version

    def _decoded(self, raw: bytes) -> T | None:
        """None for an object that doesn't have its kind's form: one odd object must not
        hide all the others from the reader."""
        try:
            return self._decode(raw)
        except msgspec.DecodeError:
            _log.exception("an object of %s can't be read", self._resource.plural)
            return None

    def _set(self, key: str, item: T | None) -> None:
        old = self._items.get(key)
        if item is None:
            if old is None:
                return
            del self._items[key]
        else:
            self._items[key] = item
        for callback in self._callbacks:
            self._call(callback, old, item)

    def _call(self, callback: ChangeCallback[T], old: T | None, new: T | None) -> None:
        try:
            callback(old, new)
        except Exception as error:  # noqa: BLE001 - a reader's fault must not end its informer
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"a callback of {self._resource.plural} failed", "exception": error}
            )
