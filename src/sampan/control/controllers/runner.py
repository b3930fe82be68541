"""Runs one controller: what changes wakes keys, a worker has each key planned and carries the
plan out, and waits until the caches have seen its own writes before the key is planned again.

That wait is what keeps a stale cache from making things twice. A refused write has the key
planned again after a backoff of its own. No rule of any controller lives here.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from typing import Any

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Cache, Caches
from sampan.control.controllers.controller import Circumstances, Controller, Keys, key_of
from sampan.control.controllers.execution import Executor, Refused, Write
from sampan.kubernetes.client.contract import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Client,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
)
from sampan.kubernetes.client.events import EventRecorder, ObjectReference
from sampan.kubernetes.client.queue import WorkQueue

CATCH_UP_SECONDS = 5.0
SHORTEST_DELAY_SECONDS = 0.001
_MOST_READS = 3
_REJECTIONS = (BadRequest, Forbidden, Invalid)
_log = logging.getLogger("sampan.controllers")


class _Failure(msgspec.Struct, frozen=True):
    text: str = ""
    is_rejection: bool = False


class Runner:
    """One controller at work. `clock` is the wall clock."""

    def __init__(
        self,
        controller: Controller[Any],
        caches: Caches,
        client: Client,
        clock: Callable[[], datetime],
        random: Random,
    ) -> None:
        self._controller = controller
        self._caches = caches
        self._clock = clock
        self._recorder = EventRecorder(client, controller.component, clock)
        self._executor = Executor(client, random, self._report)
        self._queue: WorkQueue[str] = WorkQueue(first_delay=0.01, longest_delay=10.0)
        self._failures: dict[str, _Failure] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._sources: list[Cache[Any]] = []
        for watch in controller.watches:
            self._follow(watch.cache(caches), watch.keys)
        if controller.every is not None:
            caches.on_heads(self._follow_heads)

    def start(self) -> None:
        """Begin to work on what has gathered in the queue; the caches must be filled."""
        self._tasks = [
            asyncio.create_task(
                self._queue.work(self._settle), name=f"{self._controller.component} {number}"
            )
            for number in range(self._controller.workers)
        ]

    async def close(self) -> None:
        """Stop in the middle of whatever is being done."""
        self._queue.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._recorder.close()

    def _follow_heads(self, cache: Cache[plans.Head]) -> None:
        """Follow a resource that has come, or has come again."""
        assert self._controller.every is not None
        self._sources = [each for each in self._sources if each.resource != cache.resource]
        self._follow(cache, self._controller.every(cache.resource))

    def _follow(self, cache: Cache[Any], keys: Keys) -> None:
        self._sources.append(cache)

        def changed(old: Any, new: Any) -> None:
            for key in keys(self._caches, old, new):
                self._queue.add(key)

        cache.listen(changed)

    async def _settle(self, key: str) -> None:
        """Plan one key and carry the plan out; whatever goes wrong has it planned again."""
        try:
            plan = await self._plan(key)
            for report in plan.reports:
                self._report(report, "", "")
            await self._catch_up(await self._executor.carry_out(plan.actions))
        except Refused as refusal:
            self._note(key, refusal.cause)
            await self._catch_up(refusal.writes)
            self._queue.retry(key)
        except (ApiError, ConnectionError, TimeoutError) as error:
            _log.debug("%s: %s: %s", self._controller.component, key, error)
            self._note(key, error)
            self._queue.retry(key)
        except Exception:  # noqa: BLE001 - a fault in one plan must not end the controller
            _log.exception("%s: the plan for %s failed", self._controller.component, key)
            self._queue.retry(key)
        else:
            self._failures.pop(key, None)
            self._queue.forget(key)
            if plan.again_after is not None:
                self._queue.add_after(key, max(plan.again_after, SHORTEST_DELAY_SECONDS))

    async def _plan(self, key: str) -> plans.Plan:
        """Make the plan, with as many rounds of questions as it needs."""
        answers: plans.Answers = {}
        permissions: plans.Permissions = {}
        last = self._failures.get(key, _Failure())
        for _ in range(_MOST_READS):
            circumstances = Circumstances(
                answers=answers,
                permissions=permissions,
                failure=last.text,
                is_rejected=last.is_rejection,
            )
            snapshot = self._controller.observe(self._caches, key, circumstances)
            if snapshot is None:
                return plans.NOTHING
            plan = self._controller.plan(snapshot, self._clock())
            if not plan.reads and not plan.questions:
                return plan
            answers = {**answers, **await self._executor.answer(plan.reads)}
            permissions = {**permissions, **await self._executor.permissions(plan.questions)}
        return plans.Plan(again_after=1.0)

    def _note(self, key: str, cause: Exception) -> None:
        """Remember a refusal that the plan should know; one that a newer view cures is none."""
        if isinstance(cause, Conflict | NotFound | AlreadyExists):
            return
        if not isinstance(cause, ApiError | ConnectionError | TimeoutError):
            _log.error("%s: %s", self._controller.component, key, exc_info=cause)
        text = str(cause) or type(cause).__name__
        self._failures[key] = _Failure(text, isinstance(cause, _REJECTIONS))

    async def _catch_up(self, writes: Sequence[Write]) -> None:
        """Wait until the controller's own caches show what it wrote."""
        for cache in self._sources:
            own = [write for write in writes if write.action.resource == cache.resource]
            if own and not await cache.until(_all_seen(cache, own), CATCH_UP_SECONDS):
                _log.warning("the cache of %s lags behind", cache.resource.plural)

    def _report(self, report: plans.Report, name: str, error: str) -> None:
        about = report.about
        reference = ObjectReference(
            kind=about.resource.kind,
            name=about.name,
            api_version=about.resource.group_version,
            namespace=about.namespace,
            uid=about.uid,
        )
        message = report.message.replace("{name}", name).replace("{error}", error)
        self._recorder.record(reference, report.type, report.reason, message)


def _all_seen(cache: Cache[Any], writes: Sequence[Write]) -> Callable[[], bool]:
    return lambda: all(_is_seen(cache, write) for write in writes)


def _is_seen(cache: Cache[Any], write: Write) -> bool:
    """Whether a cache shows a write, or something that came after it."""
    action, head = write.action, write.head
    if isinstance(action, plans.Create):
        return head is None or cache.revision >= int(head.metadata.resource_version)
    name = str(action.body["metadata"]["name"]) if isinstance(action, plans.Update) else action.name
    present = cache.get(key_of(action.namespace, name))
    if present is None:
        return True
    if head is None:
        replaced = isinstance(action, plans.Delete) and present.metadata.uid != action.uid
        return replaced or present.metadata.deletion_timestamp is not None
    return int(present.metadata.resource_version) >= int(head.metadata.resource_version)
