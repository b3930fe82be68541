"""Pulling and unpacking an image of 200 MB from a registry on the loopback, beside others' tools.

The image's one layer is made of the machine's own files, compressed by gzip and by zstd.
"""

import asyncio
import contextlib
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.engines import podman_command
from bench.measurement import Measurement, NotMeasured, milliseconds, quantile
from sampan.engine.images.machine_images import MachineImages
from sampan.engine.images.registry.registries import Registries
from sampan.engine.images.registry.settings import RegistrySettings
from sampan.engine.images.store import ImageStore

_HOST, _PORT = "127.0.0.1", 5000
_SIZE = 200 << 20
_RUNS = 3
_TOOLS = ("docker-registry", "skopeo", "umoci")
_SOURCES = ("/usr/lib", "/usr/share", "/usr/bin")
_CONFIGURATION = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}
http: {{addr: "{host}:{port}", secret: none}}
"""


def measure() -> list[Measurement]:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        raise NotMeasured(f"needs root and {', '.join(missing or _TOOLS)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _registry(folder):
            archive = _image_archive(folder)
            return [_measured(folder, archive, it) for it in ("gzip", "zstd")]


def _measured(folder: Path, archive: Path, compression: str) -> Measurement:
    image = f"{_HOST}:{_PORT}/{compression}:1"
    _run(
        *("skopeo", "copy", "-q", "--dest-tls-verify=false", "--dest-compress", "--format=oci"),
        f"--dest-compress-format={compression}",
        *(f"docker-archive:{archive}", f"docker://{image}"),
    )
    ours = []
    theirs: dict[str, list[float]] = {}
    for number in range(_RUNS):
        place = folder / f"{compression}-{number}"
        place.mkdir()
        start = time.perf_counter()
        asyncio.run(_pull(place / "store", image))
        ours.append(time.perf_counter() - start)
        # umoci unpacks no zstd.
        if compression == "gzip":
            theirs.setdefault("skopeo copy, umoci unpack", []).append(_others(place, image))
        if shutil.which("podman"):
            theirs.setdefault("podman pull", []).append(_podman(place, image))
        shutil.rmtree(place)
    mine = quantile(ours, 0.5)
    reference = "; ".join(
        f"{name} {milliseconds(quantile(seconds, 0.5))} (we: {mine / quantile(seconds, 0.5):.2f})"
        for name, seconds in theirs.items()
    )
    work = f"pull and unpack 200 MB, {compression}"
    return Measurement(work, f"p50 {milliseconds(mine)}", "", reference)


async def _pull(folder: Path, image: str) -> None:
    store = ImageStore(folder)
    images = MachineImages(
        store,
        Registries(store, RegistrySettings(), time.time),
        publish=lambda *_: None,
        apply_changes=lambda execution, _: execution,
        clock=time.time,
    )
    await images.pull(image)


def _others(place: Path, image: str) -> float:
    start = time.perf_counter()
    layout = f"{place}/layout:it"
    _run("skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{image}", f"oci:{layout}")
    _run("umoci", "unpack", "--image", layout, f"{place}/bundle")
    return time.perf_counter() - start


def _podman(place: Path, image: str) -> float:
    start = time.perf_counter()
    _run(*podman_command(place / "podman"), "pull", "-q", "--tls-verify=false", image)
    return time.perf_counter() - start


@contextlib.contextmanager
def _registry(folder: Path) -> Iterator[None]:
    file = folder / "registry.yml"
    file.write_text(_CONFIGURATION.format(folder=folder, host=_HOST, port=_PORT))
    process = subprocess.Popen(
        ["docker-registry", "serve", str(file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection((_HOST, _PORT), 1).close()
                break
            time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.wait()


def _image_archive(folder: Path) -> Path:
    """A docker archive of one plain layer of about 200 MB."""
    layer = folder / "layer.tar"
    with tarfile.open(layer, "w") as archive:
        for path in _files():
            archive.add(path, arcname=path.lstrip("/"), recursive=False)
    with layer.open("rb") as file:
        diff_id = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    configuration = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }
    manifest = [{"Config": "config.json", "RepoTags": ["bench:1"], "Layers": ["layer.tar"]}]
    whole = folder / "image.tar"
    with tarfile.open(whole, "w") as archive:
        for name, content in (("config.json", configuration), ("manifest.json", manifest)):
            data = json.dumps(content).encode()
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
        archive.add(layer, arcname="layer.tar")
    layer.unlink()
    return whole


def _files() -> Iterator[str]:
    left = _SIZE
    for source in _SOURCES:
        for root, _, names in os.walk(source):
            for name in sorted(names):
                path = os.path.join(root, name)
                if left <= 0:
                    return
                if os.path.isfile(path) and not os.path.islink(path):
                    left -= os.path.getsize(path)
                    yield path


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise NotMeasured(done.stderr.strip()[-500:])
