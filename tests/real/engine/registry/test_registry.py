"""Images go to a registry and come from it; others can read what we write and we what they do."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from registry_place import (
    HOST,
    PASSWORD,
    USER,
    Registry,
    Told,
    add_image,
    in_own_network,
    layer,
    machine_images,
    run,
)

from sampan.engine.contract import EngineError, Forbidden, ImageNotFound, NotFound
from sampan.engine.images.contract import Credentials
from sampan.engine.images.documents import InvalidImage

pytestmark = pytest.mark.real

LOWER = layer({"hello": b"hello", "etc/name": b"lower"})
UPPER = layer({"etc/name": b"upper"})
LARGE = layer({"large": os.urandom(40 << 20)})


def test_what_we_push_others_pull_and_so_do_we(tmp_path: Path) -> None:
    async def body() -> None:
        with Registry(tmp_path / "registry"):
            ours = machine_images(tmp_path / "ours")
            identifier = await add_image(ours, f"{HOST}/team/app:1", LOWER, UPPER, LARGE)
            told = Told()
            pushed = await ours.push(f"{HOST}/team/app:1", progress=told)
            assert told.statuses().count("Pushed") == 3
            assert f"1: digest: {pushed[0].digest} size: {pushed[0].size}" in told.statuses()
            assert (await ours.inspect(identifier)).digests == (
                f"{HOST}/team/app@{pushed[0].digest}",
            )
            again = Told()
            assert await ours.push(f"{HOST}/team/app:1", progress=again) == pushed
            assert again.statuses().count("Layer already exists") == 3

            place = f"oci:{tmp_path}/layout:it"
            copied = ["copy", "-q", "--src-tls-verify=false", f"docker://{HOST}/team/app:1"]
            await asyncio.to_thread(run, "skopeo", *copied, place)
            inspected = json.loads(run("skopeo", "inspect", place))
            assert (inspected["Digest"], len(inspected["Layers"])) == (pushed[0].digest, 3)
            run("umoci", "unpack", "--image", f"{tmp_path}/layout:it", f"{tmp_path}/bundle")
            assert (tmp_path / "bundle/rootfs/etc/name").read_bytes() == b"upper"

            theirs = machine_images(tmp_path / "theirs")
            told = Told()
            detail = await theirs.pull(f"{HOST}/team/app:1", progress=told)
            assert detail.identifier == identifier
            assert detail.digests == (f"{HOST}/team/app@{pushed[0].digest}",)
            assert told.statuses().count("Pull complete") == 3
            assert told.statuses()[-1] == f"Status: Downloaded newer image for {HOST}/team/app:1"
            assert (Path(detail.folders[1]) / "etc/name").read_bytes() == b"upper"
            told.clear()
            await theirs.pull(f"{HOST}/team/app:1", progress=told)
            assert told.statuses()[-1] == f"Status: Image is up to date for {HOST}/team/app:1"

    in_own_network(tmp_path, body)


@pytest.mark.parametrize(
    ("source", "compression"), [("docker-archive", "gzip"), ("oci-archive", "zstd")]
)
def test_what_others_push_we_pull(tmp_path: Path, source: str, compression: str) -> None:
    async def body() -> None:
        ours = machine_images(tmp_path / "ours")
        # Contents of its own: skopeo remembers what it compressed before, and how.
        identifier = await add_image(ours, "app:1", layer({"a": os.urandom(4096)}), UPPER)
        saved = b"".join([piece async for piece in ours.save(["app:1"])])
        (tmp_path / "saved.tar").write_bytes(saved)
        with Registry(tmp_path / "registry"):
            flags = ["-q", "--dest-tls-verify=false", "--dest-compress", "--format=oci"]
            await asyncio.to_thread(
                run,
                *("skopeo", "copy", *flags, f"--dest-compress-format={compression}"),
                *(f"{source}:{tmp_path}/saved.tar", f"docker://{HOST}/app:1"),
            )
            theirs = machine_images(tmp_path / "theirs")
            detail = await theirs.pull(f"{HOST}/app:1")
            assert detail.identifier == identifier
            manifest = theirs._store.resolve("sha256:" + identifier[7:]).manifest
            assert manifest.layers[0].media_type.endswith(compression)
            assert (Path(detail.folders[0]) / "etc/name").read_bytes() == b"upper"
            found = await theirs.distribution(f"{HOST}/app:1")
            assert found.platforms[0].architecture == "amd64"

    in_own_network(tmp_path, body)


def test_a_registry_that_asks_for_a_password(tmp_path: Path) -> None:
    async def body() -> None:
        known = Credentials(user=USER, password=PASSWORD, server=HOST)
        wrong = Credentials(user=USER, password="guessed", server=HOST)
        with Registry(tmp_path / "registry", with_password=True):
            ours = machine_images(tmp_path / "ours")
            await add_image(ours, f"{HOST}/app", LOWER)
            assert await ours.verify(known) == ""
            with pytest.raises(Forbidden, match="login attempt"):
                await ours.verify(wrong)
            for credentials in (None, wrong):
                with pytest.raises(Forbidden):
                    await ours.push(f"{HOST}/app", credentials=credentials)
            await ours.push(f"{HOST}/app", credentials=known)
            theirs = machine_images(tmp_path / "theirs")
            with pytest.raises(NotFound, match=r"pull access denied for .*/app, repository"):
                await theirs.pull(f"{HOST}/app", credentials=wrong)
            assert (await theirs.pull(f"{HOST}/app", credentials=known)).tags == (
                f"{HOST}/app:latest",
            )
            with pytest.raises(NotFound, match=r"manifest for .*app:2 not found: manifest unknown"):
                await theirs.pull(f"{HOST}/app:2", credentials=known)

    in_own_network(tmp_path, body)


def test_what_is_not_there_is_said_as_docker_says_it(tmp_path: Path) -> None:
    async def body() -> None:
        images = machine_images(tmp_path / "ours")
        with pytest.raises(EngineError, match=r"connection refused|connect call failed"):
            await images.pull(f"{HOST}/app")
        with pytest.raises(ImageNotFound, match="An image does not exist locally with the tag"):
            await images.push(f"{HOST}/app")
        with Registry(tmp_path / "registry"), pytest.raises(NotFound, match="manifest for"):
            await images.pull(f"{HOST}/app")

    in_own_network(tmp_path, body)


def test_a_corrupt_layer_is_refused_and_nothing_of_it_stays(tmp_path: Path) -> None:
    async def body() -> None:
        with Registry(tmp_path / "registry") as registry:
            ours = machine_images(tmp_path / "ours")
            await add_image(ours, f"{HOST}/app", LOWER, UPPER)
            pushed = await ours.push(f"{HOST}/app")
            image = ours._store.stored(pushed[0].digest)
            blob = registry.blob(image.blobs[1])
            data = bytearray(blob.read_bytes())
            data[len(data) // 2] ^= 1
            blob.write_bytes(data)
            theirs = machine_images(tmp_path / "theirs")
            with pytest.raises(InvalidImage, match="verification failed for digest"):
                await theirs.pull(f"{HOST}/app")
            blob.write_bytes(bytes(data) + b"more")
            with pytest.raises((InvalidImage, EngineError)):
                await theirs.pull(f"{HOST}/app")
            assert await theirs.list() == []
            await theirs._store.collect()
            assert theirs._store.blobs.digests() == set()

    in_own_network(tmp_path, body)


def test_a_layer_of_another_repository_is_mounted(tmp_path: Path) -> None:
    async def body() -> None:
        with Registry(tmp_path / "registry"):
            images = machine_images(tmp_path / "ours")
            await add_image(images, f"{HOST}/one", LOWER, UPPER)
            await images.push(f"{HOST}/one")
            await images.tag(f"{HOST}/one", f"{HOST}/two")
            told = Told()
            await images.push(f"{HOST}/two", progress=told)
            assert told.statuses().count("Mounted from one") == 2

    in_own_network(tmp_path, body)
