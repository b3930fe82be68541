"""The verbs of the API over a `Transport`, in process or over HTTPS.

It translates between verbs and requests, and Status bodies into the contract's errors.
It must not retry, cache or wait; informers and runners do.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Literal

import msgspec

from sampan.foundation.wire.message import Body, Request, Response, Transport, let_go, whole
from sampan.kubernetes.client.contract import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NotFound,
    Object,
    PatchKind,
    Propagation,
    RawEvent,
    RawList,
    Unauthorized,
)
from sampan.kubernetes.kinds.resource import Resource

_JSON = "application/json"
_PATCH_TYPES: dict[PatchKind, str] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
# A JSON document is a YAML document.
_APPLY = "application/apply-patch+yaml"
_ENDS_INITIAL = "k8s.io/initial-events-end"
_BEGINNING = (("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan"))
Query = tuple[tuple[str, str], ...]
_ERRORS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    422: Invalid,
}


class _ListMetadata(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_token: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMetadata
    items: tuple[msgspec.Raw, ...] = ()


class _Event(msgspec.Struct):
    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
    object: msgspec.Raw


class _BookmarkMetadata(msgspec.Struct):
    annotations: dict[str, str] = {}


class _Bookmark(msgspec.Struct):
    metadata: _BookmarkMetadata


_encode = msgspec.json.Encoder().encode
_decode_list = msgspec.json.Decoder(_List).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_bookmark = msgspec.json.Decoder(_Bookmark).decode


class ApiClient:
    """`contract.Client` over a transport; `user_agent` names the component that asks."""

    def __init__(self, transport: Transport, *, user_agent: str = "sampan") -> None:
        self._transport = transport
        self._headers = {"accept": _JSON, "user-agent": user_agent}

    async def get(
        self, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> bytes:
        return await self._ask("GET", resource.path(namespace, name, subresource))

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
        page = {"limit": str(limit) if limit else "", "continue": continue_token}
        query = _query(labelSelector=label_selector, fieldSelector=field_selector, **page)
        found = _decode_list(await self._ask("GET", resource.path(namespace), query))
        return RawList(
            items=tuple(bytes(item) for item in found.items),
            resource_version=found.metadata.resource_version,
            continue_token=found.metadata.continue_token,
        )

    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncGenerator[RawEvent, None]:
        query = (
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            *((("resourceVersion", resource_version),) if resource_version else _BEGINNING),
            *_query(labelSelector=label_selector, fieldSelector=field_selector),
        )
        response = await self._send("GET", resource.path(namespace), query)
        async with aclosing(_lines(response.body)) as lines:
            async for line in lines:
                yield _read_event(line)

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
        path = resource.path(namespace, name, subresource)
        return await self._ask("POST", path, _write_query(field_manager, dry_run), body=body)

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
        path = resource.path(namespace, str(body["metadata"]["name"]), subresource)
        return await self._ask("PUT", path, _write_query(field_manager, dry_run), body=body)

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
        path = resource.path(namespace, name, subresource)
        query = _write_query(field_manager, dry_run)
        return await self._ask("PATCH", path, query, body=patch, content_type=_PATCH_TYPES[kind])

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
        path = resource.path(namespace, str(body["metadata"]["name"]), subresource)
        query = _write_query(field_manager, dry_run) + _query(force="true" if force else "")
        return await self._ask("PATCH", path, query, body=body, content_type=_APPLY)

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
    ) -> bytes:
        options = _delete_options(grace_seconds, propagation, dry_run)
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        if uid or resource_version:
            options["preconditions"] = {k: value for k, value in preconditions.items() if value}
        return await self._ask("DELETE", resource.path(namespace, name), body=options)

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
        query = _query(labelSelector=label_selector, fieldSelector=field_selector)
        options = _delete_options(grace_seconds, propagation, dry_run)
        return await self._ask("DELETE", resource.path(namespace), query, body=options)

    async def close(self) -> None:
        await self._transport.close()

    async def _ask(
        self,
        method: str,
        path: str,
        query: Query = (),
        *,
        body: Any = None,
        content_type: str = _JSON,
    ) -> bytes:
        response = await self._send(method, path, query, body=body, content_type=content_type)
        return await whole(response.body)

    async def _send(
        self,
        method: str,
        path: str,
        query: Query = (),
        *,
        body: Any = None,
        content_type: str = _JSON,
    ) -> Response:
        headers = self._headers if body is None else self._headers | {"content-type": content_type}
        response = await self._transport.send(
            Request(
                method=method,
                path=path,
                query=query,
                headers=headers,
                body=b"" if body is None else _encode(body),
            )
        )
        if response.status >= 400:
            raise error_of(_status(response.status, await whole(response.body)))
        return response


def error_of(status: Object) -> ApiError:
    """The contract's error for a Status object."""
    code = int(status.get("code", 500))
    if code == 409 and status.get("reason") == "AlreadyExists":
        return AlreadyExists(status)
    return _ERRORS.get(code, ApiError)(status)


def _status(code: int, body: bytes) -> Object:
    """The Status in an answer; one made up of its text when something else answered."""
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError:
        decoded = None
    if isinstance(decoded, dict) and decoded.get("kind") == "Status":
        return decoded | {"code": code}
    return {"kind": "Status", "code": code, "message": body[:1024].decode(errors="replace")}


def _query(**parameters: str) -> Query:
    """The parameters that say something."""
    return tuple((name, value) for name, value in parameters.items() if value)


def _write_query(field_manager: str, dry_run: bool) -> Query:
    return _query(fieldManager=field_manager, dryRun="All" if dry_run else "")


def _delete_options(grace_seconds: int | None, propagation: Propagation, dry_run: bool) -> Object:
    options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if grace_seconds is not None:
        options["gracePeriodSeconds"] = grace_seconds
    if propagation:
        options["propagationPolicy"] = propagation
    if dry_run:
        options["dryRun"] = ["All"]
    return options


def _read_event(line: bytes) -> RawEvent:
    """One line of a watch. Raises ApiError for an event that tells of one."""
    event = _decode_event(line)
    if event.type == "ERROR":
        raise error_of(msgspec.json.decode(event.object))
    ends_initial = event.type == "BOOKMARK" and (
        _decode_bookmark(event.object).metadata.annotations.get(_ENDS_INITIAL) == "true"
    )
    return RawEvent(type=event.type, object=bytes(event.object), ends_initial=ends_initial)


async def _lines(body: Body) -> AsyncGenerator[bytes, None]:
    """The lines of a stream, whatever pieces it arrives in; closing them lets the stream go."""
    if not isinstance(body, AsyncIterator):
        for line in (await whole(body)).splitlines():
            yield line
        return
    rest = b""
    try:
        async for piece in body:
            rest += piece
            if b"\n" in piece:
                *complete, rest = rest.split(b"\n")
                for line in complete:
                    yield line
    finally:
        await let_go(body)
