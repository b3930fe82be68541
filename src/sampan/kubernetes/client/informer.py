"""A reader's own copy of a resource, kept current by one watch.

Theory: the watch begins with what is there (KEP-3157), so that neither side holds the whole
collection as one answer; where a server can't do that, a list comes first. A watch that ends
is resumed from the last version seen, bookmarks included; one that is too old starts over, and
what is different then is reported like events. Nothing is polled: between changes the informer
sleeps in the watch. It must not know what its reader does with a change.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

import msgspec

from sampan.foundation import tasks
from sampan.kubernetes.client.contract import ApiError, Client, Expired, Invalid, RawEvent
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


def _key_of(item: View) -> str:
    return object_key(item.metadata.namespace, item.metadata.name)


def _version_of(bookmark: RawEvent) -> str:
    return _decode_bookmark(bookmark.object).metadata.resource_version


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
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._items: dict[str, T] = {}
        self._callbacks: list[ChangeCallback[T]] = []
        self._version = ""
        self._lists = False
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
        """Begin in the background, once; `synced` is set when `items` has what is there."""
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
                await self._follow()
            except Expired:
                self._version = ""
            except (ApiError, ConnectionError, msgspec.DecodeError) as error:
                _log.debug("%s: %s; trying again", self._resource.plural, error)
            if self._version and self._version != before:
                delay = FIRST_RETRY_SECONDS
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_RETRY_SECONDS)

    async def _follow(self) -> None:
        """Learn what is there, unless it is known, and then every change until the watch ends."""
        if not self._version and self._lists:
            await self._list()
        begins = not self._version
        async with aclosing(self._watch()) as events:
            try:
                if begins:
                    await self._begin(events)
            except Invalid:
                self._lists = True
                return
            async for event in events:
                self._apply(event)

    def _watch(self) -> AsyncGenerator[RawEvent, None]:
        return self._client.watch(
            self._resource,
            self._namespace,
            resource_version=self._version,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )

    async def _begin(self, events: AsyncGenerator[RawEvent, None]) -> None:
        """Take what is there from the beginning of a watch. Raises Invalid when the server
        doesn't know such watches, ConnectionError when it ends too soon."""
        found: dict[str, T] = {}
        async for event in events:
            if event.ends_initial:
                self._take(found, _version_of(event))
                return
            item = None if event.type == "BOOKMARK" else self._decoded(event.object)
            if item is None:
                continue
            if event.type == "DELETED":
                found.pop(_key_of(item), None)
            else:
                found[_key_of(item)] = item
        raise ConnectionError("the watch ended before it had told what is there")

    async def _list(self) -> None:
        listed = await self._client.list(
            self._resource,
            self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )
        decoded = (item for raw in listed.items if (item := self._decoded(raw)) is not None)
        self._take({_key_of(item): item for item in decoded}, listed.resource_version)

    def _take(self, found: Mapping[str, T], version: str) -> None:
        """Make `items` what a server has told that is there, and report the differences."""
        for key in [key for key in self._items if key not in found]:
            self._set(key, None)
        for key, item in found.items():
            old = self._items.get(key)
            if old is None or old.metadata.resource_version != item.metadata.resource_version:
                self._set(key, item)
        self._version = version
        self.synced.set()

    def _apply(self, event: RawEvent) -> None:
        if event.type == "BOOKMARK":
            self._version = _version_of(event)
            return
        item = self._decoded(event.object)
        if item is None:
            return
        self._set(_key_of(item), None if event.type == "DELETED" else item)
        self._version = item.metadata.resource_version

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
