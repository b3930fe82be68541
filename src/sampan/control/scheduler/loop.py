"""Finds a node for every pod that has none: the scheduler's only I/O.

Informers of pods and nodes keep the columns; one task decides, pod by pod, and counts each
decision at once (it *assumes* it), so that the next decision sees it; bindings are then made
concurrently. A binding that fails is forgotten and the pod waits again. What frees room or
changes a node wakes those for whom there was none.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any

from sampan.control.scheduler.columns import Columns, Placed
from sampan.control.scheduler.cycle import Cycle, Decision
from sampan.control.scheduler.pending import Pending
from sampan.control.scheduler.requirements import Requirements, requirements, template_of
from sampan.control.scheduler.views import Node, Pod
from sampan.kubernetes.client.contract import ApiError, Client
from sampan.kubernetes.client.events import EventRecorder, reference_to
from sampan.kubernetes.client.informer import Informer
from sampan.kubernetes.kinds.resource import NODES, PODS
from sampan.kubernetes.machinery import timestamps

NAME = "default-scheduler"
USER = "system:kube-scheduler"
CONCURRENT_BINDINGS = 64
DECISIONS_AT_ONCE = 8
_REQUEST_SECONDS = 15.0
_REMEMBERED_TEMPLATES = 4096
_log = logging.getLogger("sampan.scheduler")


class Scheduler:
    """The scheduler at work, until `close`. `clock` is the wall clock."""

    def __init__(self, client: Client, clock: Callable[[], datetime], random: Random) -> None:
        self._client = client
        self._clock = clock
        self._recorder = EventRecorder(client, NAME, clock)
        self._columns = Columns()
        self._cycle = Cycle(self._columns, random)
        self._pending = Pending()
        self._assumed: set[str] = set()
        self._templates: dict[bytes, Requirements] = {}
        self._work = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._bindings = asyncio.Semaphore(CONCURRENT_BINDINGS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._nodes = Informer(client, NODES, Node)
        self._pods = Informer(client, PODS, Pod)
        self._nodes.on_change(self._node_changed)
        self._pods.on_change(self._pod_changed)

    async def start(self) -> None:
        """Learn of all nodes and pods, then begin to decide."""
        self._nodes.start()
        self._pods.start()
        await asyncio.gather(self._nodes.synced.wait(), self._pods.synced.wait())
        self._spawn(self._decide(), "scheduler")

    async def close(self) -> None:
        """Stop; a pod whose binding was not made waits for the next scheduler."""
        if self._alarm is not None:
            self._alarm.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._nodes.close()
        await self._pods.close()
        await self._recorder.close()

    def _spawn(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        if new is not None:
            if self._columns.put_node(new):
                self._awaken()
        elif old is not None:
            self._columns.drop_node(old.metadata.name)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            self._forget(old)
        if new is None:
            return
        if new.is_finished:
            self._forget(new)
        elif new.spec.node_name:
            self._pending.discard(_key(new))
            self._count(new)
        elif not self._waits(new):
            self._pending.discard(_key(new))
        elif new.metadata.uid not in self._assumed and not _says_same(old, new):
            self._pending.add(_key(new), new.spec.priority or 0)
            self._work.set()

    @staticmethod
    def _waits(pod: Pod) -> bool:
        return (
            pod.spec.scheduler_name == NAME
            and not pod.spec.scheduling_gates
            and not pod.is_terminating
        )

    def _forget(self, pod: Pod) -> None:
        self._pending.discard(_key(pod))
        self._assumed.discard(pod.metadata.uid)
        if self._columns.drop_pod(pod.metadata.uid):
            self._awaken()

    def _count(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        self._assumed.discard(uid)
        present = self._columns.placed.get(uid)
        if present is None or not _is_counted(pod, present):
            needs = self._requirements(pod)
            if needs is not None:
                placed = Placed(uid, pod.spec.node_name, needs, pod.is_terminating)
                self._columns.put_pod(placed)

    def _requirements(self, pod: Pod) -> Requirements | None:
        template = template_of(pod)
        found = self._templates.get(template)
        if found is None:
            try:
                found = requirements(pod, template)
            except ValueError as error:
                _log.warning("pod %s cannot be scheduled: %s", _key(pod), error)
                return None
            if len(self._templates) >= _REMEMBERED_TEMPLATES:
                self._templates.pop(next(iter(self._templates)))
            self._templates[template] = found
        return found

    def _awaken(self) -> None:
        """Something changed that could help those for whom there was no node."""
        self._pending.stir()
        self._rise()

    def _rise(self) -> None:
        loop = asyncio.get_running_loop()
        upcoming = self._pending.rise(loop.time())
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if upcoming is not None:
            self._alarm = loop.call_at(upcoming, self._rise)
        self._work.set()

    async def _decide(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            decided = 0
            while (key := self._pending.pop()) is not None:
                pod = self._pods.items.get(key)
                if pod is not None and not pod.spec.node_name and self._waits(pod):
                    try:
                        self._place(pod)
                    except Exception:  # noqa: BLE001 - one pod must not stop all others
                        _log.exception("no decision about %s", key)
                decided += 1
                if decided % DECISIONS_AT_ONCE == 0:
                    await asyncio.sleep(0)

    def _place(self, pod: Pod) -> None:
        if pod.metadata.uid in self._assumed:
            return
        needs = self._requirements(pod)
        if needs is None:
            return
        decision = self._cycle.decide(needs)
        if decision.node:
            self._assumed.add(pod.metadata.uid)
            self._columns.put_pod(Placed(pod.metadata.uid, decision.node, needs))
            self._spawn(self._bind(pod, decision.node), f"bind {_key(pod)}")
            return
        self._pending.rest(_key(pod), pod.spec.priority or 0, asyncio.get_running_loop().time())
        if _unschedulable_message(pod) != decision.message:
            self._spawn(self._refuse(pod, decision), f"refuse {_key(pod)}")

    async def _bind(self, pod: Pod, node: str) -> None:
        metadata = pod.metadata
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {
                "name": metadata.name,
                "namespace": metadata.namespace,
                "uid": metadata.uid,
            },
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            async with self._bindings, asyncio.timeout(_REQUEST_SECONDS):
                await self._client.create(
                    PODS, body, metadata.namespace, subresource="binding", name=metadata.name
                )
        except (ApiError, ConnectionError, TimeoutError) as error:
            _log.info("pod %s was not bound to %s: %s", _key(pod), node, error)
            self._unassume(pod)
        else:
            message = f"Successfully assigned {_key(pod)} to {node}"
            self._recorder.record(reference_to(PODS, metadata), "Normal", "Scheduled", message)

    def _unassume(self, pod: Pod) -> None:
        """A binding failed, or its answer was lost: unless the informer knows better by now, the
        pod waits again. The API lets no pod be bound a second time."""
        uid = pod.metadata.uid
        if uid not in self._assumed:
            return
        self._assumed.discard(uid)
        self._columns.drop_pod(uid)
        present = self._pods.items.get(_key(pod))
        if present is not None and present.metadata.uid == uid and not present.spec.node_name:
            loop = asyncio.get_running_loop()
            self._pending.rest(_key(pod), pod.spec.priority or 0, loop.time())
        self._awaken()

    async def _refuse(self, pod: Pod, decision: Decision) -> None:
        """Tell in the pod's status and in an event why there is no node for it."""
        metadata = pod.metadata
        reference = reference_to(PODS, metadata)
        self._recorder.record(reference, "Warning", "FailedScheduling", decision.message)
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": decision.message,
            "lastTransitionTime": timestamps.to_seconds(self._clock()),
        }
        body = {"metadata": {"uid": metadata.uid}, "status": {"conditions": [condition]}}
        name, namespace = metadata.name, metadata.namespace
        try:
            await self._client.patch(
                PODS, name, body, namespace, kind="strategic", subresource="status"
            )
        except (ConnectionError, ApiError) as error:
            _log.debug("the status of %s was not told: %s", _key(pod), error)


def _key(pod: Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"


def _unschedulable_message(pod: Pod) -> str:
    return next(
        (
            each.message
            for each in pod.status.conditions
            if each.type == "PodScheduled" and each.status == "False"
        ),
        "",
    )


def _says_same(old: Pod | None, new: Pod) -> bool:
    """Whether nothing has changed that scheduling looks at (its own status, mostly)."""
    return (
        old is not None
        and old.metadata.uid == new.metadata.uid
        and old.spec == new.spec
        and old.metadata.labels == new.metadata.labels
        and old.is_terminating == new.is_terminating
    )


def _is_counted(pod: Pod, placed: Placed) -> bool:
    """Whether a bound pod is counted just so."""
    return (
        placed.node == pod.spec.node_name
        and placed.terminating == pod.is_terminating
        and placed.requirements.labels == pod.metadata.labels
        and placed.requirements.spec.containers == pod.spec.containers
    )


async def run_scheduler(client: Client, clock: Callable[[], datetime], random: Random) -> Scheduler:
    """Start the scheduler; `client` acts as USER."""
    scheduler = Scheduler(client, clock, random)
    await scheduler.start()
    return scheduler
