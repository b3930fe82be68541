"""A registry on the loopback of a network namespace of its own, and images to exchange with it."""

import asyncio
import ctypes
import io
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType

import msgspec.yaml

from sampan.engine.images.contract import LayerProgress
from sampan.engine.images.documents import (
    LAYER_TYPE,
    Descriptor,
    ExecutionConfiguration,
    ImageConfiguration,
    RootFilesystem,
)
from sampan.engine.images.machine_images import MachineImages
from sampan.engine.images.registry.registries import Registries
from sampan.engine.images.registry.settings import RegistrySettings, SettingsFile
from sampan.engine.images.store import ImageStore

_CLONE_NEWNS = 0x20000
_CLONE_NEWNET = 0x40000000
_TIME_LIMIT = 60
PORT = 5000
HOST = f"127.0.0.1:{PORT}"
USER, PASSWORD = "somebody", "a secret of theirs"

_CONFIGURATION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/blobs}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}", secret: none}}
{auth}
"""


class Registry:
    """Debian's registry; `with_password` asks everybody for USER's."""

    def __init__(self, folder: Path, *, with_password: bool = False, port: int = PORT) -> None:
        self.folder = folder
        self._port = port
        folder.mkdir()
        auth = ""
        if with_password:
            table = subprocess.run(
                ["htpasswd", "-Bbn", USER, PASSWORD], capture_output=True, check=True
            )
            (folder / "htpasswd").write_bytes(table.stdout)
            auth = f"auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}"
        text = _CONFIGURATION.format(folder=folder, port=port, auth=auth)
        (folder / "config.yml").write_text(text)

    def __enter__(self) -> "Registry":
        self._process = subprocess.Popen(
            ["docker-registry", "serve", str(self.folder / "config.yml")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return self
            except ConnectionRefusedError:
                time.sleep(0.02)
        raise AssertionError("the registry doesn't answer")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()

    def blob(self, digest: str) -> Path:
        """The registry's own file of a blob."""
        text = digest.removeprefix("sha256:")
        return self.folder / f"blobs/docker/registry/v2/blobs/sha256/{text[:2]}/{text}/data"


class Told(list[LayerProgress]):
    """Progress as it came."""

    def __call__(self, progress: LayerProgress) -> None:
        self.append(progress)

    def statuses(self) -> list[str]:
        return [it.status for it in self]


def machine_images(folder: Path, settings: RegistrySettings | None = None) -> MachineImages:
    store, said = ImageStore(folder), folder / "registries.yaml"
    said.write_bytes(msgspec.yaml.encode(settings or RegistrySettings()))
    return MachineImages(
        store,
        Registries(store, SettingsFile(said), time.time),
        publish=lambda *_: None,
        apply_changes=lambda execution, _: execution,
        clock=time.time,
    )


def layer(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


async def add_image(images: MachineImages, name: str, *layers: bytes) -> str:
    """The identifier of an image of plain layers."""
    store = images._store
    with images.pinned() as pins:
        described = []
        for data in layers:
            digest, size = store.blobs.add_stream(io.BytesIO(data), limit=1 << 30, pins=pins)
            described.append(Descriptor(media_type=LAYER_TYPE, digest=digest, size=size))
        configuration = ImageConfiguration(
            created="2024-05-06T07:08:09Z",
            architecture="amd64",
            os="linux",
            config=ExecutionConfiguration(cmd=("/hello",), labels={"a": "b"}),
            rootfs=RootFilesystem(diff_ids=tuple(it.digest for it in described)),
        )
        identifier = await images.add_image(configuration, described, pins)
        await images.tag(identifier, name)
    return identifier


def in_own_network(folder: Path, body: Callable[[], Awaitable[None]]) -> None:
    """Run a test's body in a process with a network of its own: nothing but a loopback."""
    report = folder / "report"
    worker = os.fork()
    if worker == 0:
        code = 1
        try:
            signal.alarm(_TIME_LIMIT + 5)
            libc = ctypes.CDLL(None, use_errno=True)
            assert libc.unshare(_CLONE_NEWNET | _CLONE_NEWNS) == 0
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            asyncio.run(asyncio.wait_for(body(), _TIME_LIMIT))
            code = 0
        except BaseException:  # noqa: BLE001 - it is told to the test
            report.write_text(traceback.format_exc())
        finally:
            sys.stdout.flush()
            os._exit(code)
    _, status = os.waitpid(worker, 0)
    told = report.read_text() if report.exists() else "the test took too long"
    assert os.waitstatus_to_exitcode(status) == 0, told


def run(*command: str) -> str:
    """What a command says. Raises AssertionError with what it said when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
