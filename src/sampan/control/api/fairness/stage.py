"""The stage that makes requests wait their turn, or sends them away when too many wait.

A request holds its seats until its answer is ready to be sent; a watch, until it has begun.
What others may answer as late as they like (proxies, logs, commands in containers) takes none.
Components of this process pass it by: they come in after it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from sampan.control.api.attributes import Attributes
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import CacheEvent
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, Handler
from sampan.control.api.fairness.classification import Classifier, Flow
from sampan.control.api.fairness.configuration import (
    FlowSchema,
    PriorityLevel,
    decode_level,
    decode_schema,
)
from sampan.control.api.fairness.queues import Queue, Queues
from sampan.control.api.fairness.seats import Hall, Seats
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import Identity, Response
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.resource import FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS
from sampan.kubernetes.machinery import status

LONGEST_WAIT_SECONDS = 15.0
_REMEMBERED = 4096
_LONG_RUNNING = frozenset(("attach", "exec", "log", "portforward", "proxy"))
_TOO_MANY = "too many requests, please try again later"
_FLOW_SCHEMA_HEADER = "X-Kubernetes-PF-FlowSchema-UID"
_LEVEL_HEADER = "X-Kubernetes-PF-PriorityLevel-UID"

_Turn = asyncio.Future[None]
_Key = tuple[str, tuple[str, ...], str, str, str, str, str]


class _Level:
    """One limited level at work."""

    def __init__(self, seats: Seats) -> None:
        self.seats = seats
        self.queues: Queues[_Turn] | None = None
        self.uid = ""
        self.exempt = False
        self.rejected = 0

    def configure(self, level: PriorityLevel, seats: Seats) -> None:
        """Take new limits; who waits in queues that are no more need not wait."""
        self.seats, self.uid = seats, level.metadata.uid
        limited = level.limited
        self.exempt = limited is None
        queuing = limited.queuing if limited is not None else None
        if self.queues is not None and self.queues.queuing != queuing:
            self.dismiss()
        if queuing is not None and self.queues is None:
            self.queues = Queues(queuing)

    def dismiss(self) -> None:
        """Let everybody who waits go on, and have no queues."""
        while self.queues is not None and self.queues.length:
            self.serve_next(self.queues)
        self.queues = None

    def serve_next(self, queues: Queues[_Turn]) -> None:
        """Seat the request whose turn it is; only when one waits."""
        queue, turn, width = queues.take()
        if turn.done():  # it has given up, and is about to leave
            queue.finish(width, 0.0)
        else:
            self.seats.in_use += width
            turn.set_result(None)


class Fairness:
    """The stage. `width_of` says how many seats a request takes. Raises Refused (429)."""

    def __init__(
        self, cache: WatchCache, total_seats: int, width_of: Callable[[Call], int]
    ) -> None:
        self._cache = cache
        self._hall = Hall(total_seats)
        self._width_of = width_of
        self._levels: dict[str, _Level] = {}
        self._classifier = Classifier((), ())
        self._flows: OrderedDict[_Key, Flow | None] = OrderedDict()
        self._stale = True
        cache.on_event(self._seen, FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS)

    async def __call__(self, call: Call, following: Handler) -> Response:
        if self._stale:
            self._configure()
        flow = self._flow(call.identity, call.attributes)
        if flow is None or call.attributes.subresource in _LONG_RUNNING:
            return await following(call)
        level = self._levels[flow.level]
        if level.exempt:
            response = await following(call)
        else:
            response = await self._in_turn(level, flow, call, following)
        response.headers = {
            **response.headers,
            _FLOW_SCHEMA_HEADER: flow.schema.metadata.uid,
            _LEVEL_HEADER: level.uid,
        }
        return response

    async def _in_turn(self, level: _Level, flow: Flow, call: Call, following: Handler) -> Response:
        width, queues = self._width_of(call), level.queues
        queue: Queue[_Turn] | None = None
        if queues is not None:
            queue = queues.choose(f"{flow.schema.metadata.name}/{flow.distinguisher}")
        if (queues is None or not queues.length) and self._hall.has_room(level.seats, width):
            level.seats.in_use += width
            if queues is not None and queue is not None:
                queues.begin(queue, width)
        elif queues is None or queue is None:
            raise self._refusal(level)
        else:
            await self._wait(level, queues, queue, width)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await following(call)
        finally:
            level.seats.in_use -= width
            if queue is not None:
                queue.finish(width, loop.time() - began)
            self._serve()

    async def _wait(
        self, level: _Level, queues: Queues[_Turn], queue: Queue[_Turn], width: int
    ) -> None:
        """Until it is this request's turn; its seats are taken then."""
        turn: _Turn = asyncio.get_running_loop().create_future()
        if not queues.join(queue, turn, width):
            raise self._refusal(level)
        try:
            async with asyncio.timeout(LONGEST_WAIT_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                # The turn came in the same instant; it is given back.
                level.seats.in_use -= width
                queue.finish(width, 0.0)
                self._serve()
            else:
                queues.leave(queue, turn)
            if isinstance(error, TimeoutError):
                raise self._refusal(level) from error
            raise

    def _serve(self) -> None:
        """Give free seats to who waits."""
        for level in self._levels.values():
            queues = level.queues
            if queues is None:
                continue
            while (width := queues.next_width()) is not None:
                if not self._hall.has_room(level.seats, width):
                    break
                level.serve_next(queues)

    def _refusal(self, level: _Level) -> Refused:
        level.rejected += 1
        refusal = status.failure(429, "TooManyRequests", _TOO_MANY, {"retryAfterSeconds": 1})
        return Refused(refusal, {"Retry-After": "1"})

    def _flow(self, identity: Identity, attributes: Attributes) -> Flow | None:
        key = (
            identity.name,
            identity.groups,
            attributes.verb,
            attributes.group,
            attributes.full_resource,
            attributes.namespace,
            "" if attributes.is_resource else attributes.path,
        )
        if key in self._flows:
            return self._flows[key]
        found = self._flows[key] = self._classifier.classify(identity, attributes)
        if len(self._flows) > _REMEMBERED:
            self._flows.popitem(last=False)
        return found

    def _seen(self, _kind: Kind, _event: CacheEvent) -> None:
        self._stale = True

    def _configure(self) -> None:
        self._stale = False
        self._flows.clear()
        levels = {level.metadata.name: level for level in self._read_levels()}
        self._hall.arrange(levels)
        for name in self._levels.keys() - levels.keys():
            self._levels[name].dismiss()
        self._levels = {name: self._configured(name, level) for name, level in levels.items()}
        self._classifier = Classifier(self._read_schemas(), levels)

    def _configured(self, name: str, level: PriorityLevel) -> _Level:
        seats = self._hall.of(name)
        found = self._levels.get(name) or _Level(seats)
        found.configure(level, seats)
        return found

    def _read_levels(self) -> list[PriorityLevel]:
        found = self._cache.of(PRIORITY_LEVEL_CONFIGURATIONS).select(Selection())
        return [decode_level(stored.data) for stored in found]

    def _read_schemas(self) -> list[FlowSchema]:
        found = self._cache.of(FLOW_SCHEMAS).select(Selection())
        return [decode_schema(stored.data) for stored in found]
