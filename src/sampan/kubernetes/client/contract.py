"""What a client of the API can do, whether it shares the server's process or not.

Objects that are written are plain dicts; objects that are read come as the server's own
encoded bytes and are decoded by the reader into what it needs: a whole dict, or a frozen
`msgspec.Struct` that names only the fields it reads (unknown fields are skipped).
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Literal, Protocol

import msgspec

from sampan.kubernetes.kinds.resource import Resource

Object = dict[str, Any]
PatchKind = Literal["json", "merge", "strategic"]
Propagation = Literal["", "Background", "Foreground", "Orphan"]
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
    """A list as the server encoded it, one piece of JSON an item; `continue_token` asks for the
    next page, and is empty after the last."""

    items: tuple[bytes, ...]
    resource_version: str
    continue_token: str = ""


class RawEvent(msgspec.Struct, frozen=True):
    """One watch event; `object` is JSON. ERROR events are raised, never yielded.

    `ends_initial` marks the bookmark after which the events of a watch are changes.
    """

    type: EventType
    object: bytes
    ends_initial: bool = False


class Client(Protocol):
    """The verbs of the API.

    Every method may raise ApiError (its subclasses above) and ConnectionError when the
    server can't be reached. None of them retries. `namespace` is empty for cluster-scoped
    resources and for "all namespaces" in `list` and `watch`. `subresource` is "status", "scale"
    and the like. With `dry_run` everything is judged and nothing is kept. `field_manager` is
    the name under which fields are owned; the client's user agent, when it is empty.
    """

    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> bytes: ...

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_token: str = "",
    ) -> RawList:
        """With `limit` a page; raises Expired when the version of the first page is gone."""

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncGenerator[RawEvent, None]:
        """Events after `resource_version`, bookmarks included.

        Without a version the watch begins with what is there, as of now, and a bookmark that
        `ends_initial` (KEP-3157); a server that can't refuses that as Invalid. Ends when the
        server ends the watch; raises Expired when the version is too old. Close it when done.
        """

    async def create(
        self,
        resource: Resource,
        body: Object,
        namespace: str = "",
        *,
        subresource: str = "",
        name: str = "",
        field_manager: str = "",
        dry_run: bool = False,
    ) -> bytes:
        """`subresource` and `name` together post to a subresource (binding, eviction, token)."""

    async def update(
        self,
        resource: Resource,
        body: Object,
        namespace: str = "",
        *,
        subresource: str = "",
        field_manager: str = "",
        dry_run: bool = False,
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
        field_manager: str = "",
        dry_run: bool = False,
    ) -> bytes:
        """A merge patch may carry metadata.uid and metadata.resourceVersion as preconditions."""

    async def apply(
        self,
        resource: Resource,
        body: Object,
        namespace: str = "",
        *,
        field_manager: str,
        force: bool = False,
        subresource: str = "",
        dry_run: bool = False,
    ) -> bytes:
        """Server-side apply: `body` holds just the fields that `field_manager` wants to own, and
        is named by its metadata. Creates what is not there. Raises Conflict when others own
        them with other values, unless `force` takes them over.
        """

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        resource_version: str = "",
        grace_seconds: int | None = None,
        propagation: Propagation = "",
        dry_run: bool = False,
    ) -> bytes: ...

    async def delete_collection(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        grace_seconds: int | None = None,
        propagation: Propagation = "",
        dry_run: bool = False,
    ) -> bytes:
        """Delete everything that matches; without selectors, all there is."""

    async def close(self) -> None: ...
