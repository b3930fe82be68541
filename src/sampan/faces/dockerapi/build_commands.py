"""Building images by the classic endpoint, and what builds keep for later ones."""

import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec

from sampan.engine.build.cache_place import CachePlace
from sampan.engine.build.classic_progress import classic_progress
from sampan.engine.build.contract import (
    ArchiveContext,
    CacheRecord,
    ClassicImage,
    ClassicMessage,
    ClassicText,
    Context,
    RemoteContext,
)
from sampan.engine.contract import EngineError, InvalidConfiguration, NotImplementedHere
from sampan.engine.images.contract import Credentials
from sampan.faces.dockerapi import bodies, json_stream, times
from sampan.faces.dockerapi.build_request import build_request
from sampan.faces.dockerapi.call import Call, answer
from sampan.faces.dockerapi.filters import Filters
from sampan.faces.dockerapi.image_transfer import Authorization, decoded
from sampan.faces.dockerapi.json_stream import Tell, progress_message
from sampan.faces.dockerapi.router import Route
from sampan.foundation.wire.message import Response

_PRUNE = frozenset(
    [
        "description",
        "id",
        "inuse",
        "label",
        "label!",
        "parent",
        "private",
        "shared",
        "type",
        "unused-for",
        "until",
    ]
)
# `docker system prune` gives its filters to all that it prunes.
_NO_LABELS: dict[str, str] = {}
_CONFIGURATION_HEADER = "x-registry-config"
_DOCKER_HUB = ("docker.io", "https://index.docker.io/v1/")


class GivenCredentials:
    """What a client of the classic builder sends along: credentials by registry, no more."""

    def __init__(self, known: dict[str, Authorization]) -> None:
        self._known = known

    async def credentials(self, registry: str) -> Credentials | None:
        names = _DOCKER_HUB if registry in _DOCKER_HUB else (registry, f"https://{registry}")
        for name in names:
            if name in self._known:
                return self._known[name].credentials()
        return None

    async def secret(self, identifier: str) -> bytes | None:
        return None

    def ssh_agent(self, identifier: str) -> AbstractAsyncContextManager[Path | None]:
        raise NotImplementedHere("the classic builder passes no SSH agent on: use BuildKit")

    def cache_place(self, identifier: str, digest: str) -> CachePlace:
        raise NotImplementedHere("the classic builder keeps no caches elsewhere: use BuildKit")


async def build(call: Call) -> Response:
    version = call.text("version", "1")
    if version == "2":
        raise NotImplementedHere("this endpoint speaks with clients of the classic builder alone")
    if version != "1":
        raise InvalidConfiguration(f'invalid version "{version[:20]}"')
    request = build_request(call)
    remote = call.text("remote")
    context: Context = (
        RemoteContext(remote)
        if remote and remote != "client-session"
        else ArchiveContext(bodies.pieces(call))
    )
    sources = GivenCredentials(_known_credentials(call))
    quiet = call.flag("q")

    async def run(tell: Tell) -> None:
        held: list[ClassicMessage] = []
        progress = classic_progress(
            held.append if quiet else lambda message: tell(_document(message)),
            removes=call.flag("rm", default=True),
            removes_failed=call.flag("forcerm"),
        )
        try:
            built = await call.engine.builds.build(request, context, progress, sources)
        except (EngineError, OSError):
            for message in held:  # what went wrong is of interest even so
                tell(_document(message))
            raise
        if quiet:
            tell({"stream": f"{built.identifier}\n"})

    return await json_stream.stream(run)


def _document(message: ClassicMessage) -> dict[str, Any]:
    if isinstance(message, ClassicText):
        text = f"\x1b[91m{message.text}\x1b[0m" if message.is_error_output else message.text
        return {"stream": text}
    if isinstance(message, ClassicImage):
        return {"aux": {"ID": message.identifier}}
    return progress_message(message)


def _known_credentials(call: Call) -> dict[str, Authorization]:
    """Raises InvalidConfiguration."""
    text = call.request.headers.get(_CONFIGURATION_HEADER, "")
    if not text:
        return {}
    try:
        return msgspec.json.decode(decoded(text) or b"{}", type=dict[str, Authorization])
    except msgspec.DecodeError as error:
        raise InvalidConfiguration("invalid X-Registry-Config header") from error


def cache_document(record: CacheRecord) -> dict[str, Any]:
    return {
        "ID": record.identifier,
        "Parents": list(record.parents) or None,
        "Type": record.kind,
        "Description": record.description,
        "InUse": record.is_in_use,
        "Shared": record.is_shared,
        "Size": record.size,
        "CreatedAt": times.written(times.of_seconds(record.created)),
        "LastUsedAt": times.written(times.of_seconds(record.last_used))
        if record.last_used
        else None,
        "UsageCount": record.uses,
    }


async def prune(call: Call) -> Response:
    filters = call.filters()
    filters.check(_PRUNE)
    now = time.time_ns()
    unused_for = filters.one("unused-for") or filters.one("until")
    latest = times.read(unused_for, now)

    is_all = call.flag("all")

    def is_wanted(record: CacheRecord) -> bool:
        if record.is_shared and not is_all:
            return True
        used = times.of_seconds(record.last_used or record.created)
        return bool(latest and used >= latest) or not _fits(record, filters)

    kept = call.number("reserved-space") or call.number("keep-storage") or 0
    pruned = await call.engine.builds.prune_cache(is_wanted=is_wanted, keep_bytes=kept)
    identifiers = list(pruned.identifiers) or None
    return answer({"CachesDeleted": identifiers, "SpaceReclaimed": pruned.space})


def _fits(record: CacheRecord, filters: Filters) -> bool:
    return (
        filters.starts("id", record.identifier)
        and filters.exact("type", record.kind)
        and filters.matches("description", record.description)
        and filters.exact("parent", *record.parents)
        and filters.labels(_NO_LABELS)
        and filters.flag("inuse") in (None, record.is_in_use)
        and filters.flag("shared") in (None, record.is_shared)
        and filters.flag("private") in (None, not record.is_shared)
    )


async def cancel(call: Call) -> Response:
    """A build ends with the connection of its client; one that is named so can't be there."""
    raise InvalidConfiguration("builds are ended by closing their connection")


ROUTES = (
    Route("POST", "/build", build),
    Route("POST", "/build/prune", prune),
    Route("POST", "/build/cancel", cancel),
)
