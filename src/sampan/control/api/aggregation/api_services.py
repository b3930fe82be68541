"""Which versions of groups other servers serve: the APIServices, by group and version.

Told from the cache, kept true by its events.
"""

from collections.abc import Callable, Iterator

import msgspec

from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import CacheEvent
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.resource import API_SERVICES

_HTTPS = 443


class ServiceReference(msgspec.Struct, frozen=True):
    """Who answers."""

    namespace: str
    name: str
    port: int = _HTTPS

    @property
    def server_name(self) -> str:
        """The name that the server's certificate must have."""
        return f"{self.name}.{self.namespace}.svc"

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


class _Spec(
    msgspec.Struct,
    frozen=True,
    rename={
        "ca_bundle": "caBundle",
        "skips_verification": "insecureSkipTLSVerify",
        "group_priority": "groupPriorityMinimum",
        "version_priority": "versionPriority",
    },
):
    version: str = ""
    group: str = ""
    service: ServiceReference | None = None
    ca_bundle: str = ""
    skips_verification: bool = False
    group_priority: int = 0
    version_priority: int = 0


class _Condition(msgspec.Struct, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class _Status(msgspec.Struct, frozen=True):
    conditions: tuple[_Condition, ...] = ()


class _Metadata(msgspec.Struct, frozen=True):
    name: str = ""


class ApiService(msgspec.Struct, frozen=True):
    """What aggregation reads of an APIService."""

    metadata: _Metadata
    spec: _Spec
    status: _Status = _Status()

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def place(self) -> tuple[str, str]:
        return self.spec.group, self.spec.version

    @property
    def available(self) -> _Condition:
        """The condition, unknown where it has not been set."""
        found = (it for it in self.status.conditions if it.type == "Available")
        return next(found, _Condition("Available", "Unknown"))


_decode = msgspec.json.Decoder(ApiService).decode


class ApiServices:
    """Those that name a service. `on_change` hears which name has come, gone, or changed what it
    says of its server: not of a status."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._remote: dict[tuple[str, str], ApiService] = {}
        self._listeners: list[Callable[[str], None]] = []
        cache.on_event(self._note, API_SERVICES)

    def load(self) -> None:
        """Take in those that are there when the server starts."""
        for stored in self._cache.of(API_SERVICES).select(Selection()):
            self._put(_decode(stored.data))

    def on_change(self, listener: Callable[[str], None]) -> None:
        self._listeners.append(listener)

    def at(self, group: str, version: str) -> ApiService | None:
        """The one by which another server serves a version of a group."""
        return self._remote.get((group, version))

    @property
    def is_empty(self) -> bool:
        return not self._remote

    def __iter__(self) -> Iterator[ApiService]:
        """In the order in which clients prefer them: by priority, then by name."""
        return iter(
            sorted(
                self._remote.values(),
                key=lambda it: (-it.spec.group_priority, it.spec.group, -it.spec.version_priority),
            )
        )

    def named(self, name: str) -> ApiService | None:
        """Any APIService as it is now, also a local one."""
        stored = self._cache.of(API_SERVICES).get(f"/{name}")
        return None if stored is None else _decode(stored.data)

    def _put(self, service: ApiService) -> None:
        if service.spec.service is not None:
            self._remote[service.place] = service
        else:
            self._remote.pop(service.place, None)

    def _note(self, _kind: Kind, event: CacheEvent) -> None:
        changed = event.new or event.old
        assert changed is not None
        service = _decode(changed.data)
        if event.new is None:
            self._remote.pop(service.place, None)
        else:
            self._put(service)
        old = None if event.new is None or event.old is None else _decode(event.old.data)
        if old is not None and old.spec == service.spec:
            return
        for listener in self._listeners:
            listener(service.name)
