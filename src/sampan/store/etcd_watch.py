"""One watch of a range of an etcd cluster's keys: its events, complete and in order, or an error.

Theory: etcd refuses to watch from before its last compaction, but says nothing when the two
meet: a deletion at the very revision of the compaction is gone from the history. So the
revision before the first is read, once the watch stands and again with the first events from
the past: only what can still be read is whole. Knows neither values nor watchers.
"""

import contextlib
from collections.abc import AsyncGenerator

import msgspec

from sampan.store import etcd_messages as messages
from sampan.store.contract import Compacted, FutureRevision, Unavailable
from sampan.store.etcd_cluster import RANGE, WATCH, CompactedAway, EtcdCluster


class Events(msgspec.Struct, frozen=True):
    """Events, and the revision up to which everything has been told; that may be all."""

    events: tuple[messages.Event, ...]
    revision: int


async def follow(
    cluster: EtcdCluster, key: bytes, end: bytes, after: int
) -> AsyncGenerator[Events, None]:
    """What happens to the keys from `key` to before `end` after a revision; first nothing, once
    the watch stands.

    Raises Compacted, Unavailable when the connection breaks.
    """
    stream = cluster.stream(WATCH, messages.watch_request(key, end, after + 1))
    gathered: list[messages.Event] = []
    past = 0
    async with contextlib.aclosing(stream) as answers:
        async for data in answers:
            answer = messages.watch_answer(data)
            if answer.ended:
                if answer.compacted:
                    raise Compacted(after, answer.compacted)
                raise Unavailable(f"the datastore ended a watch: {answer.reason}")
            if answer.created:
                await _demand_history(cluster, key, after)
                past = answer.revision
                yield Events((), after)
                continue
            gathered += answer.events
            if answer.more:
                continue
            if gathered and gathered[0].current.revision <= past:
                await _demand_history(cluster, key, after)
            past = 0
            revision = gathered[-1].current.revision if gathered else answer.revision
            yield Events(tuple(gathered), revision)
            gathered = []


async def oldest_revision(cluster: EtcdCluster) -> int:
    """The revision of the last compaction, for a cluster that was compacted."""
    stream = cluster.stream(WATCH, messages.watch_request(b"\0", b"", 1))
    async with contextlib.aclosing(stream) as answers:
        async for data in answers:
            answer = messages.watch_answer(data)
            if answer.ended:
                return answer.compacted
    raise Unavailable("the datastore ended a watch")


async def _demand_history(cluster: EtcdCluster, key: bytes, after: int) -> None:
    """Raises Compacted when not everything after a revision is told any more."""
    if after == 0:
        return
    try:
        await cluster.call(RANGE, messages.range_request(key, revision=after, keys_only=True))
    except FutureRevision:
        pass  # nothing can be missing of what is yet to come
    except CompactedAway as error:
        raise Compacted(after, await oldest_revision(cluster)) from error
