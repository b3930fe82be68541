"""The query parameters that several verbs share, read and checked."""

import asyncio
from functools import lru_cache
from typing import Literal

import msgspec

from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import Request
from sampan.kubernetes.kinds.kind import Cause, Kind
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, too_long, unsupported
from sampan.kubernetes.machinery.selectors import (
    FieldSelector,
    InvalidSelector,
    Selector,
    parse,
    parse_fields,
)

FUTURE_SECONDS = 3.0
MAXIMUM_MANAGER = 128
_LARGEST = 2**63 - 1

OptionsKind = Literal["CreateOptions", "UpdateOptions", "PatchOptions"]


class WriteOptions(msgspec.Struct, frozen=True):
    """What a write is asked for beside its body: metav1.CreateOptions and its like.

    `manager` is who the fields will belong to; an apply is forced over others' fields.
    """

    dry_run: bool = False
    manager: str = ""
    force: bool = False


def write_options(request: Request, kind: OptionsKind, *, applies: bool = False) -> WriteOptions:
    """Raises Refused (422), with the causes of `ValidateCreateOptions` and its like."""
    if not request.query and not applies:
        return WriteOptions(manager=_named(request))
    values = dict[str, list[str]]()
    for key, value in request.query:
        values.setdefault(key, []).append(value)
    manager = values.get("fieldManager", [""])[0]
    causes = _manager_causes(manager, applies=applies)
    if "force" in values and not applies and kind == "PatchOptions":
        causes.append(forbidden("force", "may not be specified for non-apply patch"))
    dry = [value for value in values.get("dryRun", ()) if value]
    if any(value != "All" for value in dry):
        causes.append(unsupported("dryRun", dry, ("All",)))
    validation = values.get("fieldValidation", [""])[0]
    if validation not in ("", "Ignore", "Strict", "Warn"):
        causes.append(unsupported("fieldValidation", validation, ("Ignore", "Strict", "Warn")))
    if causes:
        raise Refused(status.invalid("meta.k8s.io", kind, "", causes))
    return WriteOptions(bool(dry), manager or _named(request), applies and request.flag("force"))


def _named(request: Request) -> str:
    """Who writes, of a client that doesn't say it."""
    return _product(request.headers.get("user-agent", "")) or "unknown"


def _manager_causes(manager: str, *, applies: bool) -> list[Cause]:
    causes = []
    if applies and not manager:
        causes.append(required("fieldManager", "is required for apply patch"))
    if len(manager.encode()) > MAXIMUM_MANAGER:
        causes.append(too_long("fieldManager", MAXIMUM_MANAGER))
    if not manager.isprintable():
        causes.append(invalid("fieldManager", manager, "should only contain printable characters"))
    return causes


@lru_cache(maxsize=256)
def _product(user_agent: str) -> str:
    """The name in a User-Agent, which stands for managers that don't name themselves."""
    shown = "".join(it for it in user_agent.partition("/")[0] if it.isprintable())
    return shown.encode()[:MAXIMUM_MANAGER].decode(errors="ignore")


def integer(request: Request, name: str) -> int:
    """A parameter that is a whole number, 0 when absent. Raises Refused (400)."""
    text = request.parameter(name)
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or int(text[:20]) > _LARGEST:
        raise Refused(status.bad_request(f"{name}: Invalid value: {text[:40]!r}"))
    return int(text)


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
            "causes": [
                {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            ],
            "retryAfterSeconds": 1,
        }
        raise Refused(refusal, {"Retry-After": "1"}) from error
