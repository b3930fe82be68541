"""All pods of the node: a worker for each, fed with what concerns it.

Events of the API, the engine and the network are handed to the right worker; a pod that the
node can't take is rejected; what a former agent left of pods that are no more is taken away.
"""

import asyncio
import logging
from collections.abc import Mapping
from decimal import Decimal

from sampan.engine.contract import ContainerStatus
from sampan.node import pod_state
from sampan.node.node_services import NodeServices
from sampan.node.pod_state import Trouble
from sampan.node.pod_view import Pod
from sampan.node.pod_worker import PodWorker
from sampan.node.quality_of_service import pod_requests

RESTART_SECONDS = 1.0

_log = logging.getLogger("sampan.node.pods")


class PodManager:
    """Workers are keyed by uid: a pod that was created anew under its old name is another."""

    def __init__(self, services: NodeServices) -> None:
        self._services = services
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._left: dict[str, list[ContainerStatus]] = {}
        self._wanted: dict[str, Pod] = {}
        self._broken: dict[str, PodWorker] = {}
        self._closing = False

    async def start(self) -> None:
        """Find what a former agent left; each pod that comes takes over its own containers."""
        for status in await self._services.engine.containers():
            uid = status.labels.get(pod_state.LABEL_UID, "")
            self._left.setdefault(uid, []).append(status)
        self._services.engine.on_change(self._container_changed)

    def has(self, uid: str) -> bool:
        return uid in self._workers or uid in self._broken

    def worker(self, namespace: str, name: str) -> PodWorker | None:
        """The worker of the newest pod of this name."""
        found = [
            worker
            for worker in self._workers.values()
            if (worker.pod.metadata.namespace, worker.pod.metadata.name) == (namespace, name)
        ]
        return found[-1] if found else None

    def workers(self) -> list[PodWorker]:
        return list(self._workers.values())

    def pods(self) -> list[Pod]:
        return [worker.pod for worker in self._workers.values()]

    def pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """For the informer: a pod of this node came, changed or went."""
        if old and (new is None or new.metadata.uid != old.metadata.uid):
            self._wanted.pop(old.metadata.uid, None)
            self._vanish(old.metadata.uid)
        if new is None:
            return
        uid = new.metadata.uid
        self._wanted[uid] = new
        if uid in self._workers:
            self._workers[uid].change(new)
        elif uid not in self._broken:
            self._add(new, tuple(self._left.pop(uid, ())))

    def _vanish(self, uid: str) -> None:
        if uid in self._workers:
            self._workers[uid].vanish()

    def _add(self, pod: Pod, adopted: tuple[ContainerStatus, ...]) -> None:
        if pod.spec.node_name != self._services.settings.node_name or self._closing:
            return
        worker = PodWorker(pod, self._services, adopted)
        if not adopted and pod.status.phase == "Pending":
            trouble = admit(pod, self.pods(), self._services.allocatable)
            if trouble:
                worker.reject(trouble)
        uid = pod.metadata.uid
        self._workers[uid] = worker
        self._tasks[uid] = asyncio.get_running_loop().create_task(worker.run())
        self._tasks[uid].add_done_callback(lambda task: self._ended(uid, task))

    def _ended(self, uid: str, task: asyncio.Task[None]) -> None:
        """A worker's end is the pod's, unless the worker broke: then another takes over."""
        worker = self._workers.pop(uid)
        del self._tasks[uid]
        if task.cancelled() or self._closing:
            return
        error = task.exception()
        if error is not None:
            _log.error("worker of pod %s failed", worker.pod.key, exc_info=error)
            self._broken[uid] = worker
            asyncio.get_running_loop().call_later(RESTART_SECONDS, self._replace, uid)

    def _replace(self, uid: str) -> None:
        """Another worker takes over what a broken one left, from the pod's newest state."""
        broken = self._broken.pop(uid)
        self._add(self._wanted.get(uid, broken.pod), broken.runs.statuses())
        if uid not in self._wanted:
            self._vanish(uid)

    def _container_changed(self, status: ContainerStatus) -> None:
        uid = status.labels.get(pod_state.LABEL_UID, "")
        worker = self._workers.get(uid) or self._broken.get(uid)
        if worker:
            worker.runs.changed(status)

    async def close(self) -> None:
        """Let go of every pod; containers run on."""
        self._closing = True
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def admit(pod: Pod, others: list[Pod], allocatable: Mapping[str, Decimal]) -> Trouble | None:
    """Whether the node has room for a pod besides the others; None when it fits. Pure."""
    active = [other for other in others if not other.is_finished]
    used: dict[str, Decimal] = {"pods": Decimal(len(active))}
    for other in active:
        for name, amount in pod_requests(other.spec).items():
            used[name] = used.get(name, Decimal(0)) + amount
    wanted = {**pod_requests(pod.spec), "pods": Decimal(1)}
    for name, amount in wanted.items():
        room = allocatable.get(name, Decimal(0))
        if amount > 0 and used.get(name, Decimal(0)) + amount > room:
            message = (
                f"Pod was rejected: Node didn't have enough resource: {name}, "
                f"requested: {amount}, used: {used.get(name, Decimal(0))}, capacity: {room}"
            )
            return Trouble(f"OutOf{name}", message)
    return None
