"""The verbs of the API over a `Transport`, in process or over HTTPS.

It translates between verbs and requests, and Status bodies into the contract's errors.
It must not retry, cache or wait; informers and runners do.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

import msgspec

from sampan.foundation.wire.message import Body, Request, Response, Transport, whole
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
    "apply": "application/apply-patch+yaml",
}
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


class _List(msgspec.Struct):
    metadata: _ListMetadata
    items: tuple[msgspec.Raw, ...] = ()


class _Event(msgspec.Struct):
    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
    object: msgspec.Raw


_encode = msgspec.json.Encoder().encode
_decode_list = msgspec.json.Decoder(_List).decode
_decode_event = msgspec.json.Decoder(_Event).decode


class ApiClient:
    """`contract.Client` over a transport; `user_agent` names the component that asks."""

    def __init__(self, transport: Transport, *, user_agent: str = "sampan") -> None:
        self._transport = transport
        self._headers = {"accept": _JSON, "user-agent": user_agent}

    async def get(self, resource: Resource, name: str, namespace: str = "") -> bytes:
        return await self._ask("GET", resource.path(namespace, name))

    async def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> RawList:
        query = _selectors(label_selector, field_selector)
        found = _decode_list(await self._ask("GET", resource.path(namespace), query))
        items = tuple(bytes(item) for item in found.items)
        return RawList(items=items, resource_version=found.metadata.resource_version)

    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[RawEvent]:
        query = (
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", resource_version),
            *_selectors(label_selector, field_selector),
        )
        response = await self._send("GET", resource.path(namespace), query)
        async for line in _lines(response.body):
            event = _decode_event(line)
            if event.type == "ERROR":
                raise error_of(msgspec.json.decode(event.object))
            yield RawEvent(type=event.type, object=bytes(event.object))

    async def create(
        self,
        resource: Resource,
        body: Object,
        namespace: str = "",
        *,
        subresource: str = "",
        name: str = "",
    ) -> bytes:
        path = resource.path(namespace, name, subresource)
        return await self._ask("POST", path, body=body)

    async def update(
        self, resource: Resource, body: Object, namespace: str = "", *, subresource: str = ""
    ) -> bytes:
        path = resource.path(namespace, str(body["metadata"]["name"]), subresource)
        return await self._ask("PUT", path, body=body)

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
        path = resource.path(namespace, name, subresource)
        return await self._ask("PATCH", path, body=patch, content_type=_PATCH_TYPES[kind])

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
    ) -> bytes:
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        if uid or resource_version:
            options["preconditions"] = {k: value for k, value in preconditions.items() if value}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if propagation:
            options["propagationPolicy"] = propagation
        return await self._ask("DELETE", resource.path(namespace, name), body=options)

    async def close(self) -> None:
        await self._transport.close()

    async def _ask(
        self,
        method: str,
        path: str,
        query: tuple[tuple[str, str], ...] = (),
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
        query: tuple[tuple[str, str], ...] = (),
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


def _selectors(label_selector: str, field_selector: str) -> tuple[tuple[str, str], ...]:
    pairs = (("labelSelector", label_selector), ("fieldSelector", field_selector))
    return tuple((name, value) for name, value in pairs if value)


async def _lines(body: Body) -> AsyncIterator[bytes]:
    """The lines of a stream, whatever pieces it arrives in."""
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
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()
