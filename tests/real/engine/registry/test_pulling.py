"""What pulling does when the line breaks, when there are several platforms, mirrors, tokens."""

import asyncio
import os
from pathlib import Path

import pytest
from fake_registry import INDEX, PASSWORD, TOKEN, USER, FakeRegistry, digest_of
from registry_place import Told, in_own_network, layer, machine_images

from sampan.engine.contract import NotFound
from sampan.engine.images.contract import Credentials
from sampan.engine.images.registry.blob_download import BlobDownloads
from sampan.engine.images.registry.settings import RegistrySettings

pytestmark = pytest.mark.real

PLAIN = layer({"random": os.urandom(200_000)})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_: float) -> None:
        return

    prepare = BlobDownloads.__init__
    monkeypatch.setattr(
        BlobDownloads, "__init__", lambda self, blobs: prepare(self, blobs, at_once)
    )


def test_a_broken_line_is_taken_up_where_it_broke(tmp_path: Path) -> None:
    async def body() -> None:
        async with FakeRegistry() as registry:
            registry.add_image("1", PLAIN)
            registry.cuts = [50_000, 60_000]
            images = machine_images(tmp_path / "store")
            detail = await images.pull(f"{registry.host}/app:1")
            assert (Path(detail.folders[0]) / "random").stat().st_size == 200_000
            ranges = [it.get("Range") for it in registry.requests_of("blobs/")][1:]
            assert ranges == [None, "bytes=50000-", "bytes=110000-"]

    in_own_network(tmp_path, body)


def test_an_interrupted_pull_goes_on_in_a_later_process(tmp_path: Path) -> None:
    async def body() -> None:
        async with FakeRegistry() as registry:
            registry.add_image("1", PLAIN)
            registry.cuts = [100_000, 0, 0, 0, 0, 0, 0, 0]
            with pytest.raises(Exception, match="can't be brought"):
                await machine_images(tmp_path / "store").pull(f"{registry.host}/app:1")
            registry.cuts.clear()
            registry.asked.clear()
            await machine_images(tmp_path / "store").pull(f"{registry.host}/app:1")
            assert [it.get("Range") for it in registry.requests_of("blobs/")] == ["bytes=100000-"]

    in_own_network(tmp_path, body)


def test_a_registry_without_ranges_sends_all_again(tmp_path: Path) -> None:
    async def body() -> None:
        async with FakeRegistry() as registry:
            registry.add_image("1", PLAIN)
            registry.knows_ranges = False
            registry.cuts = [50_000]
            images = machine_images(tmp_path / "store")
            detail = await images.pull(f"{registry.host}/app:1")
            assert (Path(detail.folders[0]) / "random").stat().st_size == 200_000

    in_own_network(tmp_path, body)


def test_an_index_gives_the_image_of_the_platform(tmp_path: Path) -> None:
    async def body() -> None:
        async with FakeRegistry() as registry:
            both = [
                registry.add_image("amd", layer({"amd": b""})),
                registry.add_image("arm", layer({"arm": b""}), architecture="arm64"),
            ]
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": both}
            digest = registry.add_document("1", INDEX, index)["digest"]
            images = machine_images(tmp_path / "store")
            name = f"{registry.host}/app"
            detail = await images.pull(f"{name}:1")
            assert os.listdir(detail.folders[0]) == ["amd"]
            assert detail.target.digest == digest
            assert detail.digests == (f"{name}@{digest}",)
            detail = await images.pull(f"{name}:1", platform="linux/arm64")
            assert os.listdir(detail.folders[0]) == ["arm"]
            assert len(await images.list()) == 2
            with pytest.raises(NotFound, match="no matching manifest for linux/s390x"):
                await images.pull(f"{name}:1", platform="linux/s390x")
            by_digest = await images.pull(f"{name}@{digest}")
            assert os.listdir(by_digest.folders[0]) == ["amd"]
            await images._store.collect()
            assert images._store.blobs.has(digest)

    in_own_network(tmp_path, body)


def test_tokens_are_fetched_for_the_repository(tmp_path: Path) -> None:
    async def body() -> None:
        async with FakeRegistry(with_tokens=True) as registry:
            registry.add_image("1", layer({"a": b""}))
            known = Credentials(user=USER, password=PASSWORD)
            await machine_images(tmp_path / "store").pull(
                f"{registry.host}/team/app:1", credentials=known
            )
            path = next(path for _, path, _ in registry.asked if path.startswith("/token"))
            assert "scope=repository:team/app:pull" in path
            assert registry.requests_of("/token")[0]["Authorization"].startswith("Basic ")
            blobs = registry.requests_of("blobs/")
            assert {it["Authorization"] for it in blobs} == {f"Bearer {TOKEN}"}

    in_own_network(tmp_path, body)


def test_mirrors_are_asked_first_and_told_no_secrets(tmp_path: Path) -> None:
    async def body() -> None:
        async with FakeRegistry(5001) as mirror, FakeRegistry(5000, passwords=True) as origin:
            mirror.add_image("1", layer({"a": b""}))
            origin.add_image("2", layer({"b": b""}))
            settings = RegistrySettings(mirrors={origin.host: (f"http://{mirror.host}",)})
            images = machine_images(tmp_path / "store", settings)
            known = Credentials(user=USER, password=PASSWORD)
            await images.pull(f"{origin.host}/app:1", credentials=known)
            assert origin.asked == []
            await images.pull(f"{origin.host}/app:2", credentials=known)
            assert all("Authorization" not in headers for _, _, headers in mirror.asked)

    in_own_network(tmp_path, body)


def test_what_a_pull_needs_is_not_collected_under_it(tmp_path: Path) -> None:
    async def body() -> None:
        async with FakeRegistry() as registry:
            registry.add_image("1", PLAIN, layer({"b": os.urandom(50_000)}), layer({"c": b""}))
            registry.cuts = [10_000] * 30
            images = machine_images(tmp_path / "store")
            pulling = asyncio.ensure_future(images.pull(f"{registry.host}/app:1"))
            collections = 0
            while not pulling.done():
                await images._store.collect()
                collections += 1
                await asyncio.sleep(0)
            detail = await pulling
            assert collections > 10
            assert images._store.layers.are_unpacked([it.diff_id for it in detail.layers])
            await images._store.collect()
            assert [os.listdir(folder) for folder in detail.folders] == [["c"], ["b"], ["random"]]

    in_own_network(tmp_path, body)


def test_an_image_that_many_want_comes_once(tmp_path: Path) -> None:
    async def body() -> None:
        async with FakeRegistry() as registry:
            registry.add_image("1", PLAIN, layer({"a": b""}))
            images = machine_images(tmp_path / "store")
            pulls = [images.pull(f"{registry.host}/app:1") for _ in range(5)]
            found = await asyncio.gather(*pulls)
            assert len({it.identifier for it in found}) == 1
            assert len(registry.requests_of("blobs/")) == 3

    in_own_network(tmp_path, body)


def test_progress_is_told_of_each_layer(tmp_path: Path) -> None:
    async def body() -> None:
        async with FakeRegistry() as registry:
            registry.add_image("1", PLAIN, layer({"a": b""}))
            told = Told()
            await machine_images(tmp_path / "store").pull(f"{registry.host}/app:1", progress=told)
            large = next(it for it in registry.blobs if len(registry.blobs[it]) > 4096)
            own = [it.status for it in told if it.identifier == large[7:19]]
            assert own[0] == "Pulling fs layer"
            assert own[-1] == "Pull complete"
            assert [it for it in own if it != "Downloading"][1:-1] == [
                "Verifying Checksum",
                "Download complete",
                "Extracting",
            ]
            assert told.statuses()[0] == "Pulling from app"
            top = digest_of(registry.documents["1"][1])
            assert told.statuses()[-2] == f"Digest: {top}"

    in_own_network(tmp_path, body)
