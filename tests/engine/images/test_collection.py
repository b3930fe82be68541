"""Whatever comes after whatever: what is in use is kept, and in the end nothing is left."""

import asyncio
import io
import shutil
import tarfile
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from sampan.engine.contract import ImageInUse, ImageNotFound
from sampan.engine.images.contract import CommitRequest
from sampan.engine.images.documents import (
    LAYER_TYPE,
    Descriptor,
    ExecutionConfiguration,
    ImageConfiguration,
    RootFilesystem,
)
from sampan.engine.images.layers import chain_identifiers
from sampan.engine.images.machine_images import MachineImages
from sampan.engine.images.pins import PinSet
from sampan.engine.images.reference import familiar, parse_reference
from sampan.engine.images.registry.registries import Registries
from sampan.engine.images.registry.settings import SettingsFile
from sampan.engine.images.store import ImageStore

_OWNER = "engine"
_NAMES = st.sampled_from([f"example.test/app:{number}" for number in range(4)])
_STACKS = st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)
_PICKS = st.integers(0, 99)


class _Work:
    """A pull or a build under way: layers are in, the image is not."""

    def __init__(self, store: ImageStore) -> None:
        self._context: AbstractContextManager[PinSet] = store.pinned()
        self.pins = self._context.__enter__()
        self.layers: list[Descriptor] = []

    def end(self) -> None:
        self._context.__exit__(None, None, None)


def _layer(number: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        header = tarfile.TarInfo(f"file-{number}")
        header.size = 3
        archive.addfile(header, io.BytesIO(b"abc"))
    return buffer.getvalue()


class Collections(RuleBasedStateMachine):
    """The model knows which name leads to which image, and which image each container has."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.names: dict[str, str] = {}
        self.containers: dict[str, str] = {}
        self.running: set[str] = set()
        self.work: list[_Work] = []
        self.count = 0

    @initialize()
    def open(self) -> None:
        self.store = ImageStore(self.folder / "images")
        settings_file = SettingsFile(self.folder / "registries.yaml")
        self.images = MachineImages(
            self.store,
            Registries(self.store, settings_file, lambda: 0.0),
            publish=lambda *_: None,
            apply_changes=lambda execution, _: execution,
            clock=lambda: float(self.count),
        )
        self.images.know_running(self.running.__contains__)

    def teardown(self) -> None:
        try:
            if self.folder.joinpath("images").exists():
                self.remove_all()
        finally:
            self.runner.close()
            shutil.rmtree(self.folder)

    def remove_all(self) -> None:
        for work in self.work:
            work.end()
        for container in self.containers:
            self.store.release(_OWNER, container)
        self.running.clear()
        for name in self.names:
            self.runner.run(self.images.remove(name, force=True))
        self.runner.run(self.images.prune(lambda _: False))
        self.runner.run(self.store.collect())
        assert self.store.blobs.digests() == set()
        assert set(self.store.layers.chains()) == set()
        assert self.store.leases.manifests() == set()
        assert self.store.distinct() == []
        assert not list((self.folder / "images/incoming").iterdir())

    @rule(stack=_STACKS)
    def begin(self, stack: list[int]) -> None:
        work = _Work(self.store)
        self.work.append(work)
        for number in stack:
            digest, size = self.store.blobs.add_stream(
                io.BytesIO(_layer(number)), limit=1 << 20, pins=work.pins
            )
            work.layers.append(Descriptor(media_type=LAYER_TYPE, digest=digest, size=size))

    @precondition(lambda self: self.work)
    @rule(pick=_PICKS, name=_NAMES)
    def finish(self, pick: int, name: str) -> None:
        work = self.work.pop(pick % len(self.work))
        self.count += 1
        configuration = ImageConfiguration(
            created=f"2024-05-06T07:08:{self.count % 60:02}Z",
            architecture="amd64",
            os="linux",
            config=ExecutionConfiguration(cmd=("/hello",)),
            rootfs=RootFilesystem(diff_ids=tuple(layer.digest for layer in work.layers)),
        )
        identifier = self.runner.run(self.images.add_image(configuration, work.layers, work.pins))
        self.runner.run(self.images.tag(identifier, name))
        self.names[name] = identifier
        work.end()

    @precondition(lambda self: self.work)
    @rule(pick=_PICKS)
    def give_up(self, pick: int) -> None:
        self.work.pop(pick % len(self.work)).end()

    @precondition(lambda self: self.names)
    @rule(pick=_PICKS, name=_NAMES)
    def tag(self, pick: int, name: str) -> None:
        identifier = self.names[sorted(self.names)[pick % len(self.names)]]
        self.runner.run(self.images.tag(identifier, name))
        self.names[name] = identifier

    @rule(name=_NAMES, force=st.booleans())
    def remove(self, name: str, force: bool) -> None:
        try:
            removed = self.runner.run(self.images.remove(name, force=force))
        except ImageNotFound:
            assert name not in self.names
        except ImageInUse:
            assert self.names[name] in self.containers.values()
        else:
            self._forget({each.untagged for each in removed})

    @rule(all_of_it=st.booleans())
    def prune(self, all_of_it: bool) -> None:
        pruned = self.runner.run(self.images.prune(lambda it: not all_of_it and bool(it.tags)))
        untagged = {each.untagged for each in pruned.removed} - {""}
        assert all_of_it or not untagged
        self._forget(untagged)

    def _forget(self, untagged: set[str]) -> None:
        self.names = {
            name: identifier
            for name, identifier in self.names.items()
            if familiar(parse_reference(name).tagged) not in untagged
        }

    @precondition(lambda self: self.names)
    @rule(pick=_PICKS)
    def run(self, pick: int) -> None:
        name = sorted(self.names)[pick % len(self.names)]
        self.count += 1
        container = f"container-{self.count}"
        self.runner.run(self.store.acquire(name, _OWNER, container))
        self.containers[container] = self.names[name]
        self.running.add(container)

    @precondition(lambda self: self.containers)
    @rule(pick=_PICKS, gone=st.booleans())
    def end(self, pick: int, gone: bool) -> None:
        container = sorted(self.containers)[pick % len(self.containers)]
        self.running.discard(container)
        if gone:
            self.store.release(_OWNER, container)
            del self.containers[container]

    @precondition(lambda self: self.containers)
    @rule(pick=_PICKS)
    def take_all_names_from_what_a_stopped_container_has(self, pick: int) -> None:
        container = sorted(self.containers)[pick % len(self.containers)]
        identifier = self.containers[container]
        self.running -= {key for key, held in self.containers.items() if held == identifier}
        for name in sorted(key for key, held in self.names.items() if held == identifier):
            self.remove(name, True)

    @precondition(lambda self: self.containers)
    @rule(pick=_PICKS, name=_NAMES)
    def commit(self, pick: int, name: str) -> None:
        base = self.containers[sorted(self.containers)[pick % len(self.containers)]]
        if self.store.identified(base) is None:
            return  # Its name and its place in the index went by force; its files are kept.
        self.count += 1
        upper = self.folder / f"upper-{self.count}"
        upper.mkdir()
        (upper / f"written-{self.count}").touch()
        request = CommitRequest(
            base=base, upper=upper, execution=ExecutionConfiguration(), name=name
        )
        self.names[name] = self.runner.run(self.images.commit(request))

    @rule()
    def kill(self) -> None:
        """The process ends at once: what was under way is over, what containers have is not."""
        self.work.clear()
        self.open()
        self.store.retain(_OWNER, self.containers)

    @invariant()
    def what_is_in_use_is_there(self) -> None:
        if not hasattr(self, "store"):
            return
        for name, identifier in self.names.items():
            image = self.store.resolve(name)
            assert image.identifier == identifier
            assert set(image.needed) <= self.store.blobs.digests()
        for manifest in self.store.leases.manifests():
            image = self.store.stored(manifest)
            assert set(image.needed) <= self.store.blobs.digests()
            assert set(chain_identifiers(image.diff_ids)) <= set(self.store.layers.chains())
        assert {self.store.stored(it).identifier for it in self.store.leases.manifests()} == set(
            self.containers.values()
        )
        for work in self.work:
            assert {layer.digest for layer in work.layers} <= self.store.blobs.digests()


TestCollections = Collections.TestCase
# Most rules have something they need first: many draws are for rules that can't come yet.
TestCollections.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=(HealthCheck.filter_too_much, HealthCheck.too_slow),
)
