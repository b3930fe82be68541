"""One pod's life on the node: one task, woken by events, doing one plan's actions in order.

Woken by: the pod changed in the API, a container changed its phase, a probe's verdict, an
object that the pod refers to changed, its address left the EndpointSlices, a timer. Nothing is
polled, and what may take long (hooks, graceful stops, status writes) runs beside the worker,
so that a deletion is never held up by a slow stop before it.
"""

import asyncio
import contextlib
import functools
import logging
from pathlib import Path

from sampan.engine.contract import ContainerStatus, EngineError
from sampan.engine.log_rotation import remove_log
from sampan.host.nftables import NftablesError
from sampan.kubernetes.client.contract import ApiError, Conflict, NotFound
from sampan.kubernetes.kinds.resource import PODS
from sampan.kubernetes.machinery import timestamps
from sampan.network.address_pool import AddressesExhausted
from sampan.node import container_start, logs, pod_plan
from sampan.node.container_runs import ContainerRuns
from sampan.node.node_services import NodeServices
from sampan.node.pod_plan import Action, Discard, Finish, Prepare, Release, Start, Stop
from sampan.node.pod_sandbox import PodSandbox
from sampan.node.pod_state import Ending, PodState, Trouble
from sampan.node.pod_status import pod_status
from sampan.node.pod_view import Pod
from sampan.node.references import MissingReference
from sampan.node.status_writer import StatusWriter

RETRY_SECONDS = 1.0
PREPARE_ERRORS = (MissingReference, OSError, ApiError, NftablesError, AddressesExhausted)
REMOVE_ERRORS = (EngineError, OSError, ApiError, NftablesError)

_log = logging.getLogger("sampan.node.pod")


class PodWorker:
    """`adopted` are the containers of this pod that a former agent left."""

    def __init__(
        self, pod: Pod, services: NodeServices, adopted: tuple[ContainerStatus, ...] = ()
    ) -> None:
        self.pod = pod
        self._services = services
        self._woken = asyncio.Event()
        self._sandbox = PodSandbox(pod, services, self._objects_changed)
        self.runs = ContainerRuns(pod, services, self._sandbox, self.wake)
        self._status = StatusWriter(services.client, pod.metadata)
        self._troubles: dict[str, Trouble] = {}
        self._rejection: Trouble | None = None
        self._ending: Ending | None = None
        self._released = False
        self._gone = False
        self._finished = False
        self._stale_objects = False
        self._refresh_not_before = 0.0
        self._address = pod.status.pod_ip
        self._started = _start_time(pod) or services.clock()
        self.runs.adopt(adopted)
        self._number = self._adopted_sandbox()
        services.routing.watch(pod.metadata.uid, self.wake)
        if self._number:
            self._stale_objects = not pod.is_finished
            self._sandbox.publish_ports(pod)

    def _adopted_sandbox(self) -> int:
        """The number of the network that the containers live in; 0 when it isn't there."""
        newest = pod_plan.next_sandbox(PodState(runs=self.runs.by_container())) - 1
        if self.pod.spec.host_network:
            return newest
        return max(newest, 1) if self._sandbox.attachment else 0

    @property
    def has_network(self) -> bool:
        """Whether the pod's ports can be reached."""
        return self.network_namespace is not None or (
            self.pod.spec.host_network and bool(self._number)
        )

    @property
    def network_namespace(self) -> Path | None:
        """Where the pod's network is pinned; None for the node's own, or before there is one."""
        attachment = self._sandbox.attachment
        return attachment.namespace if attachment is not None else None

    def wake(self) -> None:
        self._woken.set()

    def change(self, pod: Pod) -> None:
        """The API has a new version of the pod."""
        if pod.metadata.labels != self.pod.metadata.labels or (
            pod.metadata.annotations != self.pod.metadata.annotations
        ):
            self._stale_objects = True
        if pod.spec.ephemeral_containers != self.pod.spec.ephemeral_containers:
            self._stale_objects = True
        self.pod = self.runs.pod = pod
        self._status.seen(pod)
        self.wake()

    def vanish(self) -> None:
        """The pod is no longer in the API: end it with the shortest grace."""
        self._gone = True
        self.wake()

    def reject(self, trouble: Trouble) -> None:
        """The node can't take the pod: it fails without having run."""
        self._rejection = trouble
        self.wake()

    def _objects_changed(self) -> None:
        self._stale_objects = True
        self._troubles = {
            name: trouble for name, trouble in self._troubles.items() if trouble.until is not None
        }
        self.wake()

    async def run(self) -> None:
        """Until nothing of the pod is left on this node."""
        try:
            while not self._finished:
                self._woken.clear()
                self._note_ending()
                await self._refresh()
                step = pod_plan.plan(
                    self.pod,
                    self.state(),
                    self._services.clock(),
                    self._services.settings.withdrawal_limit_seconds,
                )
                self._publish()
                for action in step.actions:
                    await self._perform(action)
                    self._publish()
                if not step.actions:
                    await self._sleep(step.wake_at)
        finally:
            self._services.routing.forget(self.pod.metadata.uid)
            await self.runs.close()
            await self._status.close()

    def state(self) -> PodState:
        return PodState(
            sandbox=self._number,
            address=self._address,
            runs=self.runs.by_container(),
            health=self.runs.health,
            troubles=self._troubles,
            stopping=self.runs.stopping,
            ending=self._ending,
            rejection=self._rejection,
            started=self._started,
            released=self._released,
        )

    def _publish(self) -> None:
        if self._gone:
            return
        address = str(self._services.settings.node_address)
        status = pod_status(self.pod, self.state(), self._services.clock(), address)
        self._status.offer(status, urgent=status["phase"] != "Pending" or bool(self._troubles))

    async def _sleep(self, until: float | None) -> None:
        """Until something happens, or the time has come."""
        times = [time for time in (until, self._refresh_due()) if time is not None]
        seconds = max(min(times) - self._services.clock(), 0) if times else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def _note_ending(self) -> None:
        metadata, now = self.pod.metadata, self._services.clock()
        if not self._gone and metadata.deletion_timestamp is None:
            return
        grace = float(metadata.deletion_grace_period_seconds or 0)
        grace = min(grace, pod_plan.SHORTEST_GRACE) if self._gone else grace
        since = self._ending.since if self._ending else now
        if self._ending and since + grace > self._ending.deadline:
            grace = self._ending.grace
        self._ending = Ending(since=since, grace=grace, traffic_ends=self._traffic_ends(since))

    def _traffic_ends(self, since: float) -> float | None:
        routing, uid = self._services.routing, self.pod.metadata.uid
        if self._gone:
            return since
        if routing.is_routed(uid):
            return None
        left = routing.last_routed(uid)
        return since if left is None else left + self._services.settings.withdrawal_settle_seconds

    def _refresh_due(self) -> float | None:
        """When volumes must be brought up to date; None for never."""
        if not self._number or self._ending or self._released:
            return None
        if self._stale_objects:
            return self._refresh_not_before
        renewal = self._sandbox.refresh_at
        return None if renewal is None else max(renewal, self._refresh_not_before)

    async def _refresh(self) -> None:
        due, now = self._refresh_due(), self._services.clock()
        if due is None or due > now:
            return
        self._stale_objects = False
        try:
            await self._sandbox.refresh(self.pod)
        except (MissingReference, OSError, ApiError) as error:
            self._warn("FailedMount", str(error))
            self._refresh_not_before = now + RETRY_SECONDS
            self._stale_objects = not isinstance(error, MissingReference)

    async def _perform(self, action: Action) -> None:
        match action:
            case Prepare():
                await self._prepare(action)
            case Start():
                await self._start(action)
            case Stop():
                self.runs.stop(action)
            case Discard():
                await self._discard(action)
            case Release():
                await self._release()
            case Finish():
                await self._finish()

    async def _prepare(self, action: Prepare) -> None:
        self._stale_objects = False
        try:
            await self._sandbox.prepare(self.pod)
        except PREPARE_ERRORS as error:
            waits, now = isinstance(error, MissingReference), self._services.clock()
            until = None if waits else now + RETRY_SECONDS
            if waits and self._stale_objects:
                # What was missing may have come while something else was being made.
                until = now
            self._troubles[""] = Trouble("ContainerCreating", "", until)
            self._warn("FailedMount" if waits else "FailedCreatePodSandBox", str(error))
        else:
            self._troubles.pop("", None)
            self._number = action.sandbox
            self._address = self._sandbox.address(self.pod)

    async def _start(self, action: Start) -> None:
        if self._woken.is_set() and self._is_unwanted():
            return
        container = next(item for item in self.pod.all_containers if item.name == action.container)
        try:
            identifier = await container_start.start(
                self.pod,
                container,
                action,
                sandbox=self._sandbox,
                number=self._number,
                services=self._services,
                before=self._troubles.get(action.container),
                beside=self.runs.running(container.target_container_name),
            )
        except container_start.NotStarted as error:
            self._troubles[action.container] = error.trouble
            if error.trouble.message:
                self._warn(_event_reason(error.trouble), error.trouble.message)
        except container_start.CommandRefused as error:
            self._troubles.pop(action.container, None)
            self.runs.refuse(action, self._number, str(error))
            self._warn("Failed", str(error))
        else:
            self._troubles.pop(action.container, None)
            await self.runs.begin(container, identifier)

    def _is_unwanted(self) -> bool:
        return self._gone or self.pod.metadata.deletion_timestamp is not None

    async def _discard(self, action: Discard) -> None:
        try:
            status = await self.runs.discard(action.identifier)
        except EngineError as error:
            await self._failed("FailedKillPod", error)
            return
        if status is not None and status.log_path:
            remove_log(Path(status.log_path))

    async def _release(self) -> None:
        """The pod has ended: its containers and their logs stay until it is deleted."""
        try:
            await self._sandbox.remove()
        except REMOVE_ERRORS as error:
            await self._failed("FailedKillPod", error)
        else:
            self._released = True

    async def _finish(self) -> None:
        """Each step may be repeated; a failed one is tried again after a pause."""
        try:
            await self.runs.remove_all()
            await asyncio.gather(self._sandbox.remove(), self._status.flush())
            folder = logs.pod_folder(self._services.settings.logs_folder, self.pod.metadata)
            await self._services.aside(functools.partial(logs.remove_pod, folder))
            if not self._gone:
                await self._delete()
        except REMOVE_ERRORS as error:
            await self._failed("FailedKillPod", error)
        else:
            self._finished = True

    async def _delete(self) -> None:
        metadata = self.pod.metadata
        try:
            await self._services.client.delete(
                PODS, metadata.name, metadata.namespace, uid=metadata.uid, grace_seconds=0
            )
        except (NotFound, Conflict):
            _log.debug("pod %s was deleted by another", self.pod.key)

    async def _failed(self, reason: str, error: Exception) -> None:
        """The same action will be planned again; not at once."""
        self._warn(reason, str(error))
        await asyncio.sleep(RETRY_SECONDS)

    def _warn(self, reason: str, message: str) -> None:
        _log.warning("pod %s: %s: %s", self.pod.key, reason, message)
        self._services.record(self.pod, "Warning", reason, message)


def _start_time(pod: Pod) -> float | None:
    return timestamps.parse(pod.status.start_time).timestamp() if pod.status.start_time else None


def _event_reason(trouble: Trouble) -> str:
    return "BackOff" if trouble.reason == "ImagePullBackOff" else "Failed"
