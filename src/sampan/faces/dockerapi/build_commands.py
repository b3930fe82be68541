"""Building images by the classic endpoint, and what builds keep for later ones."""

import time
from typing import Any

from sampan.engine.build.contract import CacheRecord
from sampan.engine.contract import InvalidConfiguration
from sampan.faces.dockerapi import times
from sampan.faces.dockerapi.call import Call, answer
from sampan.faces.dockerapi.filters import Filters
from sampan.faces.dockerapi.router import Route
from sampan.foundation.wire.message import Response

_PRUNE = frozenset(
    [
        "description",
        "id",
        "inuse",
        "parent",
        "private",
        "shared",
        "type",
        "unused-for",
        "until",
    ]
)


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

    def is_wanted(record: CacheRecord) -> bool:
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
        and filters.flag("inuse") in (None, record.is_in_use)
        and filters.flag("shared") in (None, record.is_shared)
        and filters.flag("private") in (None, not record.is_shared)
    )


async def cancel(call: Call) -> Response:
    """A build ends with the connection of its client; one that is named so can't be there."""
    raise InvalidConfiguration("builds are ended by closing their connection")


ROUTES = (
    Route("POST", "/build/prune", prune),
    Route("POST", "/build/cancel", cancel),
)
