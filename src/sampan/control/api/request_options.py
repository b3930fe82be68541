"""The query parameters that several verbs share, read and checked."""

import asyncio
from functools import lru_cache

from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import Request
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.selectors import (
    FieldSelector,
    InvalidSelector,
    Selector,
    parse,
    parse_fields,
)

FUTURE_SECONDS = 3.0
_LARGEST = 2**63 - 1


def integer(request: Request, name: str) -> int:
    """A parameter that is a whole number, 0 when absent. Raises Refused (400)."""
    text = request.parameter(name)
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or int(text[:20]) > _LARGEST:
        raise Refused(status.bad_request(f"{name}: Invalid value: {text[:40]!r}"))
    return int(text)


def flag(request: Request, name: str) -> bool:
    return request.parameter(name) in ("true", "1", "True")


def dry_run(values: tuple[str, ...]) -> bool:
    """Whether nothing is to be kept. Raises Refused for anything but All."""
    unknown = [value for value in values if value not in ("", "All")]
    if unknown:
        raise Refused(status.bad_request(f"invalid dryRun value: {unknown[0]!r}"))
    return "All" in values


def dry_run_of(request: Request) -> bool:
    return dry_run(tuple(value for key, value in request.query if key == "dryRun"))


def resource_version(request: Request) -> int:
    return integer(request, "resourceVersion")


def selection_of(call: Call) -> Selection:
    """The namespace and selectors of a list, watch or deletecollection. Raises Refused (400)."""
    request, kind = call.request, call.routed
    try:
        labels = _labels(request.parameter("labelSelector"))
        fields = _fields(kind, request.parameter("fieldSelector"))
    except InvalidSelector as error:
        raise Refused(status.bad_request(str(error))) from error
    namespace = call.attributes.namespace if kind.resource.namespaced else ""
    return Selection(namespace, labels, fields)


@lru_cache(maxsize=512)
def _labels(text: str) -> Selector:
    return parse(text)


def _fields(kind: Kind, text: str) -> FieldSelector:
    selector = _parsed_fields(text)
    if selector.requirements:
        supported = kind.selectable({})
        for requirement in selector.requirements:
            if requirement.field not in supported:
                raise InvalidSelector(f"field label not supported: {requirement.field}")
    return selector


@lru_cache(maxsize=512)
def _parsed_fields(text: str) -> FieldSelector:
    return parse_fields(text)


async def fresh_enough(cache: WatchCache, revision: int) -> None:
    """Wait until the cache reflects a revision; one that stays in the future is refused (504)."""
    if revision <= cache.revision:
        return
    try:
        async with asyncio.timeout(FUTURE_SECONDS):
            await cache.reached(revision)
    except TimeoutError as error:
        message = f"Too large resource version: {revision}, current: {cache.revision}"
        refusal = status.timeout(message)
        refusal["details"] = {
            "causes": [{"reason": "ResourceVersionTooLarge", "message": message}],
            "retryAfterSeconds": 1,
        }
        raise Refused(refusal, {"Retry-After": "1"}) from error
