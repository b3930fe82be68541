"""An engine that holds what it was given: enough for the face to speak of."""

import asyncio

from sampan.engine.containers.configuration import Configuration, HostConfiguration
from sampan.engine.containers.contract import (
    ContainerDetail,
    ContainerState,
    Created,
    ExecDetail,
    LogEntry,
    Pruned,
    Statistics,
    WaitResult,
)
from sampan.engine.containers.machine_limits import LimitedBy
from sampan.engine.contract import CommandNotFound, Conflict, ImageNotFound, NotFound, NotModified
from sampan.engine.events import Events
from sampan.engine.images.contract import ImageDetail, LayerDetail, LayerProgress, Loaded
from sampan.engine.images.documents import Descriptor, ExecutionConfiguration
from sampan.faces.dockerapi.facts import Facts
from sampan.faces.dockerapi.service import DockerApi
from sampan.foundation.wire.message import Request, whole

FACTS = Facts(
    version="9.8.7",
    identifier="engine",
    name="machine",
    kernel="6.1",
    architecture="amd64",
    machine="x86_64",
    operating_system="Some Linux",
    processors=2,
    memory=1 << 30,
    limits=LimitedBy(2, memory_swappiness=False, out_of_memory_kill_disabled=False),
    storage=(("Backing Filesystem", "xfs"),),
    security=("name=seccomp,profile=builtin",),
    state_folder="/var/lib/x",
    runtime="crun",
    python="3.11",
)


def container(number, name, **changes):
    settings = {
        "identifier": f"{number:x}" * 64,
        "name": name,
        "created": number * 1_000_000_000,
        "path": "sh",
        "arguments": ("-c", "sleep 1"),
        "state": ContainerState(phase="running", process=7, started=number * 1_000_000_000),
        "image": "sha256:" + "a" * 64,
        "image_digest": "sha256:" + "b" * 64,
        "platform": "linux/amd64",
        "configuration": Configuration(image="app"),
        "host": HostConfiguration(),
    }
    return ContainerDetail(**settings | changes)


def image(letter, *tags, **changes):
    settings = {
        "identifier": "sha256:" + letter * 64,
        "tags": tags,
        "digests": (),
        "created": "2026-01-02T03:04:05Z",
        "architecture": "amd64",
        "os": "linux",
        "size": 1000,
        "execution": ExecutionConfiguration(cmd=("sh",)),
        "layers": (LayerDetail(diff_id="d" + letter, chain="c" + letter, size=1000),),
        "folders": ("/layers/" + letter,),
        "target": Descriptor(media_type="m", digest="sha256:" + letter * 64, size=10),
    }
    return ImageDetail(**settings | changes)


class Session:
    """Says back what it hears, once it has heard all; `told` is what it says first."""

    def __init__(self, told=(), *, waits_for_input=True):
        self.heard = b""
        self.closed = asyncio.Event()
        self.killed = False
        self._told = told
        self._waits = waits_for_input

    async def write(self, data):
        self.heard += data

    async def close_stdin(self):
        self.closed.set()

    async def output(self):
        for stream, data in self._told:
            yield stream, data
        if self._waits:
            await self.closed.wait()
            yield "stdout", self.heard

    async def kill(self):
        self.killed = True
        self.closed.set()

    async def wait(self):
        return 0


class Containers:
    def __init__(self, *there):
        self.there = {one.name: one for one in there}
        self.created = []
        self.session = None
        self.ended = asyncio.Event()
        self.executions = {}

    def find(self, reference):
        for one in self.there.values():
            if reference in (one.name, one.identifier):
                return one
        raise NotFound(f"No such container: {reference}")

    async def create(self, name, configuration, host, networking, platform=""):
        if name in self.there:
            raise Conflict(f'Conflict. The container name "/{name}" is already in use')
        self.created.append((name, configuration, host, networking, platform))
        return Created("f" * 64, ("mind the gap",))

    async def start(self, reference):
        if self.find(reference).state.running:
            raise NotModified("it runs")
        raise CommandNotFound("executable file not found in $PATH")

    async def list(self):
        return sorted(self.there.values(), key=lambda one: -one.created)

    async def inspect(self, reference):
        return self.find(reference)

    def wait(self, reference, condition):
        self.find(reference)

        async def result():
            await self.ended.wait()
            return WaitResult(3)

        return result()

    async def attach(self, reference, options):
        self.find(reference)
        return self.session

    async def exec_inspect(self, identifier):
        if identifier not in self.executions:
            raise NotFound(f"No such exec instance: {identifier}")
        return ExecDetail(
            identifier=identifier, container="c", configuration=self.executions[identifier]
        )

    async def exec_start(self, identifier, *, detach=False, console_size=None):
        return None if detach else self.session

    def logs(self, reference, options):
        self.find(reference)

        async def entries():
            yield LogEntry("stdout", 1_500_000_000, b"one\n")
            yield LogEntry("stderr", 2_000_000_000, b"two\n")

        return entries()

    async def stats(self, reference):
        return Statistics(identifier="i", name="n", time=5)

    async def prune(self, predicate):
        gone = tuple(one.identifier for one in self.there.values() if predicate(one))
        return Pruned(gone, 12)


class Images:
    def __init__(self, *there):
        self.there = there
        self.failure = None
        self.steps = ()
        self.pulled = []
        self.loaded = b""

    async def list(self):
        return list(self.there)

    async def inspect(self, reference):
        for one in self.there:
            if reference in (*one.tags, one.identifier) or f"{reference}:latest" in one.tags:
                return one
        raise ImageNotFound(f"No such image: {reference}")

    async def pull(self, reference, *, platform, credentials, progress, all_tags):
        self.pulled.append((reference, platform, credentials, all_tags))
        for step in self.steps:
            progress(step)
            await asyncio.sleep(0)
        if self.failure:
            raise self.failure

    async def load(self, stream, progress=None):
        async for piece in stream:
            self.loaded += piece
        return [
            Loaded(name="app:latest", identifier="sha256:1"),
            Loaded(name="", identifier="sha256:2"),
        ]


class Engine:
    def __init__(self, containers=None, images=None):
        self.containers = containers or Containers()
        self.images = images or Images()
        self.events = Events()


def layer(status, identifier="", current=0, total=0):
    return LayerProgress(status=status, identifier=identifier, current=current, total=total)


async def ask(engine, method, path, *query, body=b"", headers=None):
    """Status, headers and body of an answer."""
    kind = {"content-type": "application/json"} if body else {}
    request = Request(
        method=method, path=path, query=query, body=body, headers=kind | (headers or {})
    )
    response = await DockerApi(engine, FACTS).respond(request)
    return response.status, response.headers, await whole(response.body)
