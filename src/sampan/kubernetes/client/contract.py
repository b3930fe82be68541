"""What a client of the API can do, whether it shares the server's process or not.

Objects that are written are plain dicts; objects that are read come as the server's own
encoded bytes and are decoded by the reader into what it needs: a whole dict, or a frozen
`msgspec.Struct` that names only the fields it reads (unknown fields are skipped).
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, Protocol

import msgspec

from sampan.kubernetes.kinds.resource import Resource

Object = dict[str, Any]
PatchKind = Literal["json", "merge", "strategic", "apply"]
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


class ApiError(Exception):
    """The server refused a request; `status` is the Status object that it answered with."""

    def __init__(self, status: Object) -> None:
        super().__init__(status.get("message", ""))
        self.status = status

    @property
    def code(self) -> int:
        return int(self.status.get("code", 0))

    @property
    def reason(self) -> str:
        return str(self.status.get("reason", ""))


class BadRequest(ApiError):
    """400."""


class Unauthorized(ApiError):
    """401."""


class Forbidden(ApiError):
    """403."""


class NotFound(ApiError):
    """404."""


class AlreadyExists(ApiError):
    """409 with reason AlreadyExists."""


class Conflict(ApiError):
    """409 with reason Conflict: the resourceVersion or uid is not the expected one."""


class Expired(ApiError):
    """410: the resourceVersion is too old; list again."""


class Invalid(ApiError):
    """422: the object breaks rules of its kind."""


class RawList(msgspec.Struct, frozen=True):
    """A list as the server encoded it, one piece of JSON an item."""

    items: tuple[bytes, ...]
    resource_version: str


class RawEvent(msgspec.Struct, frozen=True):
    """One watch event; `object` is JSON. ERROR events are raised, never yielded."""

    type: EventType
    object: bytes


class Client(Protocol):
    """The verbs of the API.

    Every method may raise ApiError (its subclasses above) and ConnectionError when the
    server can't be reached. None of them retries. `namespace` is empty for cluster-scoped
    resources and for "all namespaces" in `list` and `watch`.
    """

    async def get(self, resource: Resource, name: str, namespace: str = "") -> bytes: ...

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> RawList: ...

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[RawEvent]:
        """Events after `resource_version`, bookmarks included.

        Ends when the server ends the watch; raises Expired when the version is too old.
        """

    async def create(
        self,
        resource: Resource,
        body: Object,
        namespace: str = "",
        *,
        subresource: str = "",
        name: str = "",
    ) -> bytes:
        """`subresource` and `name` together post to a subresource (binding, eviction, token)."""

    async def update(
        self, resource: Resource, body: Object, namespace: str = "", *, subresource: str = ""
    ) -> bytes:
        """Replace an object; its metadata.resourceVersion, if there, must be the current one."""

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Object | Sequence[Object],
        namespace: str = "",
        *,
        kind: PatchKind = "merge",
        subresource: str = "",
    ) -> bytes:
        """A merge patch may carry metadata.uid and metadata.resourceVersion as preconditions."""

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        resource_version: str = "",
        grace_seconds: int | None = None,
        propagation: Literal["", "Background", "Foreground", "Orphan"] = "",
    ) -> bytes: ...

    async def close(self) -> None: ...
