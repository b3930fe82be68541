"""Writing values again that are there already, so that they lie in today's envelopes.

Each gets a new revision, like any write; what another writer changes meanwhile is sealed by
that write. Knows nothing of keys' meaning.
"""

import contextlib
from collections.abc import Iterable

from sampan.store.contract import Conflict, Store

_PAGE = 100


async def renew(store: Store, prefixes: Iterable[bytes]) -> int:
    """Write every value below `prefixes` again; how many. Raises Unavailable, MissingKey."""
    count = 0
    for prefix in prefixes:
        after, more = b"", True
        while more:
            page = await store.range(prefix, after=after, limit=_PAGE)
            for entry in page.entries:
                with contextlib.suppress(Conflict):
                    await store.put(entry.key, entry.value, expected=entry.revision)
            count += len(page.entries)
            more = page.more
            after = page.entries[-1].key if page.entries else after
    return count
