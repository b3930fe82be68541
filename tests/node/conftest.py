"""Pods and states for tests of the node, and a node over fakes that hold state."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from sampan.engine.configuration import ContainerConfiguration
from sampan.engine.contract import (
    CommandNotFound,
    ContainerNotFound,
    ContainerStatus,
    ImageDescription,
    ImageNotFound,
    NameInUse,
)
from sampan.engine.contract import NotFound as EngineNotFound
from sampan.engine.images.credentials import Credentials
from sampan.foundation.settings import Instance
from sampan.kubernetes.client.contract import NotFound, RawEvent
from sampan.kubernetes.machinery.metadata import Metadata
from sampan.network.contract import Attachment, ServicePort
from sampan.node import node_object
from sampan.node.cluster_view import (
    EndpointConditions,
    EndpointSlice,
    SliceEndpoint,
    TargetReference,
)
from sampan.node.node_services import NodeServices
from sampan.node.objects import ReferencedObjects
from sampan.node.pod_manager import PodManager
from sampan.node.pod_state import LABEL_CONTAINER, Run
from sampan.node.pod_view import Pod
from sampan.node.routing import EndpointRouting
from sampan.node.settings import AgentSettings
from sampan.testing import virtual_clock
from sampan.testing.virtual_clock import EPOCH

PodMaker = Callable[..., Pod]


@pytest.fixture
def make_pod() -> PodMaker:
    """`make_pod({...spec...}, metadata={...}, status={...})`; one container `main` by default."""

    def build(
        spec: dict[str, Any] | None = None,
        *,
        metadata: dict[str, Any] | None = None,
        status: dict[str, Any] | None = None,
    ) -> Pod:
        whole = {
            "metadata": {"name": "web", "namespace": "shop", "uid": "u-1", **(metadata or {})},
            "spec": {
                "nodeName": "node-1",
                "containers": [{"name": "main", "image": "hello"}],
                **(spec or {}),
            },
            "status": status or {},
        }
        return msgspec.json.decode(json.dumps(whole), type=Pod)

    return build


@pytest.fixture
def make_run() -> Callable[..., Run]:
    """A run of `main` that started at 900; `ended_at=` makes it an ended one."""

    def build(container: str = "main", ended_at: float | None = None, **values: Any) -> Run:
        given = {"identifier": f"{container}-0", "started": 900.0, **values}
        if ended_at is not None:
            given |= {"phase": "exited", "finished": ended_at}
        return Run(container=container, **given)

    return build


class FakeEngine:
    """An engine that only remembers: containers are records, and end when they are told to."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.images: dict[str, ImageDescription] = {}
        self.registry: set[str] = set()
        self.pulls: list[tuple[str, tuple[Credentials, ...]]] = []
        self.statuses: dict[str, ContainerStatus] = {}
        self.configurations: dict[str, ContainerConfiguration] = {}
        self.deaf: set[str] = set()
        self.signalled: dict[str, float] = {}
        self._callbacks: list[Callable[[ContainerStatus], None]] = []
        self._waiting: list[asyncio.Event] = []
        self._numbers = itertools.count(1)

    def load(self, name: str, user: str = "", *, is_from_registry: bool = False) -> None:
        self.images[name] = ImageDescription(
            names=(name,),
            digest="sha256:1",
            identifier="sha256:2",
            size=1,
            created=0,
            user=user,
            is_from_registry=is_from_registry,
        )

    async def image(self, reference: str) -> ImageDescription:
        if reference not in self.images:
            raise ImageNotFound(f"no image {reference}")
        return self.images[reference]

    async def pull_image(
        self, reference: str, credentials: tuple[Credentials, ...] = ()
    ) -> ImageDescription:
        self.pulls.append((reference, credentials))
        if reference not in self.registry:
            raise EngineNotFound(f"pull access denied for {reference}")
        self.load(reference, is_from_registry=True)
        return self.images[reference]

    async def create(self, configuration: ContainerConfiguration) -> str:
        if configuration.entrypoint == ("missing",):
            raise CommandNotFound("missing: not found")
        if any(item.name == configuration.name for item in self.statuses.values()):
            raise NameInUse(configuration.name)
        identifier = f"container-{next(self._numbers)}"
        self.configurations[identifier] = configuration
        self.statuses[identifier] = ContainerStatus(
            identifier=identifier,
            name=configuration.name,
            image=configuration.image,
            image_digest="sha256:1",
            phase="created",
            created=self.clock(),
            log_path=configuration.log_path,
            labels=configuration.labels,
        )
        return identifier

    async def start(self, identifier: str) -> None:
        self._set(identifier, phase="running", started=self.clock())

    def end(self, identifier: str, code: int = 0, out_of_memory: bool = False) -> None:
        """The container's process ends of itself."""
        self._set(
            identifier,
            phase="exited",
            finished=self.clock(),
            exit_code=code,
            out_of_memory=out_of_memory,
        )

    def _set(self, identifier: str, **changes: Any) -> None:
        status = msgspec.structs.replace(self.statuses[identifier], **changes)
        self.statuses[identifier] = status
        for callback in self._callbacks:
            callback(status)
        for waiting in self._waiting:
            waiting.set()

    async def stop(self, identifier: str, grace_seconds: float) -> None:
        if self.statuses[identifier].phase != "running":
            return
        self.signalled.setdefault(identifier, self.clock())
        if self.configurations[identifier].labels[LABEL_CONTAINER] in self.deaf:
            await asyncio.sleep(grace_seconds)
            self.end(identifier, 137)
        else:
            self.end(identifier, 143)

    async def wait(self, identifier: str) -> ContainerStatus:
        while self.statuses[identifier].phase != "exited":
            changed = asyncio.Event()
            self._waiting.append(changed)
            await changed.wait()
        return self.statuses[identifier]

    async def remove(self, identifier: str) -> None:
        self.statuses.pop(identifier, None)

    async def status(self, identifier: str) -> ContainerStatus:
        if identifier not in self.statuses:
            raise ContainerNotFound(identifier)
        return self.statuses[identifier]

    async def containers(self) -> list[ContainerStatus]:
        return list(self.statuses.values())

    def on_change(self, callback: Callable[[ContainerStatus], None]) -> None:
        self._callbacks.append(callback)

    def running(self) -> list[str]:
        return [item.identifier for item in self.statuses.values() if item.phase == "running"]


class FakeNetwork:
    """Hands out addresses; `broken` makes it refuse."""

    def __init__(self) -> None:
        self.attached: dict[str, Attachment] = {}
        self.broken = False
        self._numbers = itertools.count(2)

    async def attach(self, identifier: str) -> Attachment:
        if self.broken:
            raise OSError("no bridge")
        address = IPv4Address(f"10.42.0.{next(self._numbers)}")
        found = Attachment(identifier, Path(f"/run/netns/{identifier}"), address)
        return self.attached.setdefault(identifier, found)

    async def detach(self, identifier: str) -> None:
        self.attached.pop(identifier, None)

    def attachments(self) -> dict[str, Attachment]:
        return self.attached


class FakeGroups:
    def __init__(self) -> None:
        self.names: set[str] = set()

    def create(self, name: str, limits: object = None) -> None:
        self.names.add(name)

    def remove(self, name: str) -> None:
        self.names.discard(name)


class FakeApi:
    """The pods, ConfigMaps and Secrets of an API, with the verbs that a node uses.

    `reachable` False refuses every request; `written` counts status patches of each pod.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.pods_changed: Callable[[Pod | None, Pod | None], None] | None = None
        self.reachable = True
        self.written: Counter[str] = Counter()
        self.tokens = 0
        self._version = 100
        self._watchers: list[tuple[str, asyncio.Queue[RawEvent]]] = []

    def put(self, plural: str, name: str, body: dict[str, Any]) -> None:
        """Create or replace an object; whoever watches is told."""
        old = self.objects.get((plural, name))
        self._version += 1
        metadata = {
            "name": name,
            "namespace": "shop",
            **body.get("metadata", {}),
            "resourceVersion": str(self._version),
        }
        self.objects[plural, name] = {**body, "metadata": metadata}
        self._tell(plural, name, old)

    def take(self, plural: str, name: str) -> None:
        """Remove an object."""
        old = self.objects.pop((plural, name), None)
        if old:
            self._tell(plural, name, old)

    def _tell(self, plural: str, name: str, old: dict[str, Any] | None) -> None:
        new = self.objects.get((plural, name))
        if plural == "pods":
            if self.pods_changed:
                self.pods_changed(_pod(old), _pod(new))
            return
        kind = "DELETED" if new is None else "MODIFIED" if old else "ADDED"
        for watched, queue in self._watchers:
            if _sees(watched, plural, name):
                queue.put_nowait(RawEvent(kind, json.dumps(new or old).encode()))

    def _check(self) -> None:
        if not self.reachable:
            raise ConnectionError("no server")

    async def watch(
        self, resource: Any, namespace: str = "", **selectors: str
    ) -> AsyncIterator[RawEvent]:
        self._check()
        queue: asyncio.Queue[RawEvent] = asyncio.Queue()
        self._watchers.append((f"{resource.plural} {selectors['field_selector']}", queue))
        if not selectors["resource_version"]:
            for (plural, name), body in self.objects.items():
                if _sees(self._watchers[-1][0], plural, name):
                    queue.put_nowait(RawEvent("ADDED", json.dumps(body).encode()))
            told = {"metadata": {"resourceVersion": str(self._version)}}
            queue.put_nowait(RawEvent("BOOKMARK", json.dumps(told).encode(), ends_initial=True))
        while True:
            yield await queue.get()

    async def patch(
        self, resource: Any, name: str, patch: Any, namespace: str = "", **options: str
    ) -> bytes:
        self._check()
        body = self.objects.get((resource.plural, name))
        if body is None:
            raise NotFound({"code": 404})
        self.written[name] += 1
        kept = {key: value for key, value in patch["status"].items() if value is not None}
        self.put(resource.plural, name, {**body, "status": {**body.get("status", {}), **kept}})
        return json.dumps(self.objects[resource.plural, name]).encode()

    async def create(self, resource: Any, body: Any, namespace: str = "", **options: str) -> bytes:
        self._check()
        if resource.plural == "podcertificaterequests":
            name = f"{body['metadata']['generateName']}{len(self.objects)}"
            self.put(
                resource.plural, name, {**body, "metadata": {**body["metadata"], "name": name}}
            )
            return json.dumps(self.objects[resource.plural, name]).encode()
        self.tokens += 1
        expires = EPOCH + timedelta(seconds=self.tokens * 3600)
        status = {"token": f"token-{self.tokens}", "expirationTimestamp": expires.isoformat()}
        return json.dumps({"status": status}).encode()

    async def get(self, resource: Any, name: str, namespace: str = "", **options: str) -> bytes:
        self._check()
        return json.dumps({"metadata": {"name": name, "uid": f"uid-of-{name}"}}).encode()

    async def delete(self, resource: Any, name: str, namespace: str = "", **options: Any) -> bytes:
        self._check()
        if (resource.plural, name) not in self.objects:
            raise NotFound({"code": 404})
        self.take(resource.plural, name)
        return b"{}"


def _sees(watched: str, plural: str, name: str) -> bool:
    """Whether a watch is of this object: by its name, or of all that there are."""
    resource, _, selector = watched.partition(" ")
    return resource == plural and selector in ("", "spec.nodeName=node-1", f"metadata.name={name}")


def _pod(body: dict[str, Any] | None) -> Pod | None:
    return msgspec.json.decode(json.dumps(body), type=Pod) if body else None


class FakeNode:
    """A pod manager over fakes. `crash` makes a new one that finds what the old one left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = lambda: EPOCH.timestamp() + asyncio.get_running_loop().time()
        self.engine = FakeEngine(self.clock)
        self.engine.load("hello")
        self.network = FakeNetwork()
        self.groups = FakeGroups()
        self.api = FakeApi()
        self.events: list[tuple[str, str]] = []
        self.ports: dict[str, dict[str, ServicePort]] = {}
        self.services: NodeServices | None = None
        self.manager: PodManager | None = None

    async def begin(self) -> None:
        settings = self.settings()
        self.services = NodeServices(
            settings=settings,
            engine=self.engine,
            network=self.network,
            client=self.api,
            objects=ReferencedObjects(self.api, "node-1"),
            routing=EndpointRouting(self.clock),
            groups=self.groups,
            clock=self.clock,
            record=lambda _pod, _kind, reason, message: self.events.append((reason, message)),
            services=tuple,
            publish_ports=self.ports.__setitem__,
            allocatable=node_object.allocatable(settings),
            aside=_at_once,
        )
        self.manager = PodManager(self.services)
        await self.manager.start()
        self.api.pods_changed = self.manager.pod_changed
        for (plural, _), body in tuple(self.api.objects.items()):
            if plural == "pods":
                self.manager.pod_changed(None, _pod(body))

    async def crash(self) -> None:
        """The agent dies and a new one begins; containers and networks are as they were."""
        self.api.pods_changed = None
        await self.end()
        self.engine._callbacks.clear()
        await self.begin()

    async def end(self) -> None:
        await self.manager.close()
        await self.services.objects.close()

    def settings(self) -> AgentSettings:
        nothing = self.folder / "none"
        return AgentSettings(
            instance=Instance(),
            node_name="node-1",
            node_number=1,
            node_address=IPv4Address("10.44.0.1"),
            node_device="nodes",
            state_folder=self.folder / "state",
            run_folder=self.folder / "run",
            api_server="",
            authority_file=nothing,
            certificate_file=nothing,
            key_file=nothing,
            serving_certificate_file=nothing,
            serving_key_file=nothing,
            resolver_file=nothing,
            cpu_millis=2000,
            memory=4 << 30,
        )

    def create(self, name: str = "web", **spec: Any) -> None:
        whole = {
            "nodeName": "node-1",
            "containers": [{"name": "main", "image": "hello"}],
            "terminationGracePeriodSeconds": 30,
            **spec,
        }
        self.api.put("pods", name, {"metadata": {"uid": f"u-{name}"}, "spec": whole})

    def delete(self, name: str = "web", grace: int = 30) -> None:
        """As the API does for a bound pod: it is marked, and goes when the node is done."""
        body = self.api.objects["pods", name]
        marks = {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": grace}
        self.api.put("pods", name, {**body, "metadata": {**body["metadata"], **marks}})

    def status(self, name: str = "web") -> dict[str, Any]:
        found: dict[str, Any] = self.api.objects["pods", name]["status"]
        return found

    def container(self, name: str = "web", number: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = self.status(name)["containerStatuses"][number]
        return found

    def route(self, uid: str, ready: bool) -> None:
        """The pod's endpoint in its service's slice is as told."""
        self.services.routing.slice_changed(_slice(uid, not ready), _slice(uid, ready))


def _slice(uid: str, ready: bool) -> EndpointSlice:
    target = TargetReference(kind="Pod", uid=uid)
    endpoint = SliceEndpoint(("10.42.0.2",), EndpointConditions(ready=ready), target_ref=target)
    return EndpointSlice(Metadata("web-1"), endpoints=(endpoint,))


async def _at_once(call: Callable[[], None]) -> None:
    call()


@pytest.fixture
def on_node(tmp_path: Path) -> Callable[[Callable[[FakeNode], Coroutine[Any, Any, None]]], None]:
    """Run a story on a fake node, on virtual time."""

    def run(story: Callable[[FakeNode], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            node = FakeNode(tmp_path)
            await node.begin()
            try:
                await story(node)
            finally:
                await node.end()

        virtual_clock.run(whole())

    return run


@pytest.fixture
def fakes() -> Any:
    """The fakes themselves, for tests that put them together otherwise."""
    return SimpleNamespace(engine=FakeEngine, network=FakeNetwork, groups=FakeGroups)
