"""What pushing does with large layers and broken lines."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_registry import INDEX, FakeRegistry
from registry_place import Told, add_image, in_own_network, layer, machine_images

from sampan.engine.contract import EngineError
from sampan.engine.images.registry import blob_upload

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_upload, "_WHOLE", 4096)
    monkeypatch.setattr(blob_upload, "_PIECE", 100_000)
    monkeypatch.setattr(blob_upload, "_FIRST_PAUSE", 0.0)


def test_an_index_goes_with_all_of_its_platforms(tmp_path: Path) -> None:
    async def body() -> None:
        async with FakeRegistry() as registry, FakeRegistry(5001) as other:
            both = [
                registry.add_image("amd", layer({"amd": b""})),
                registry.add_image("arm", layer({"arm": b""}), architecture="arm64"),
            ]
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": both}
            digest = registry.add_document("1", INDEX, index)["digest"]
            images = machine_images(tmp_path / "ours")
            await images.pull(f"{registry.host}/app:1", platform="linux/arm64")
            detail = await images.pull(f"{registry.host}/app:1")
            await images.tag(f"{registry.host}/app:1", f"{other.host}/app:2")
            saved = [piece async for piece in images.save([f"{other.host}/app:2"])]

            async def stream() -> AsyncIterator[bytes]:
                for piece in saved:
                    yield piece

            theirs = machine_images(tmp_path / "theirs")
            (loaded,) = await theirs.load(stream())
            assert loaded.identifier == detail.identifier
            (pushed,) = await theirs.push(f"{other.host}/app:2")
            assert pushed.digest == digest
            assert other.documents["2"] == registry.documents["1"]
            arm = await machine_images(tmp_path / "arm").pull(
                f"{other.host}/app:2", platform="linux/arm64"
            )
            assert os.listdir(arm.folders[0]) == ["arm"]

    in_own_network(tmp_path, body)


def test_a_large_layer_goes_in_pieces(tmp_path: Path) -> None:
    async def body() -> None:
        async with FakeRegistry() as registry:
            images = machine_images(tmp_path / "ours")
            name = f"{registry.host}/app:1"
            identifier = await add_image(images, name, layer({"large": os.urandom(250_000)}))
            (pushed,) = await images.push(name)
            assert pushed.digest in registry.documents
            pieces = [it for it in registry.requests_of("/uploads/1") if "Content-Range" in it]
            starts = [it["Content-Range"].partition("-")[0] for it in pieces]
            assert starts == ["0", "100000", "200000"]
            theirs = machine_images(tmp_path / "theirs")
            assert (await theirs.pull(name)).identifier == identifier

    in_own_network(tmp_path, body)


def test_a_broken_line_is_taken_up_where_the_registry_got_to(tmp_path: Path) -> None:
    async def body() -> None:
        async with FakeRegistry() as registry:
            images = machine_images(tmp_path / "ours")
            name = f"{registry.host}/app:1"
            identifier = await add_image(images, name, layer({"large": os.urandom(250_000)}))
            registry.cuts = [60_000, 30_000]
            told = Told()
            await images.push(name, progress=told)
            assert "Pushed" in told.statuses()
            asked = [method for method, path, _ in registry.asked if path == "/uploads/1"]
            assert asked.count("GET") == 2
            theirs = machine_images(tmp_path / "theirs")
            assert (await theirs.pull(name)).identifier == identifier

    in_own_network(tmp_path, body)


def test_a_registry_that_never_takes_it_is_given_up(tmp_path: Path) -> None:
    async def body() -> None:
        async with FakeRegistry() as registry:
            images = machine_images(tmp_path / "ours")
            name = f"{registry.host}/app:1"
            await add_image(images, name, layer({"large": os.urandom(250_000)}))
            registry.cuts = [0] * 20
            with pytest.raises(EngineError, match="can't be pushed"):
                await images.push(name)
            assert registry.documents == {}

    in_own_network(tmp_path, body)
