"""Registries that lie, and what they send: each attack is shown first, then refused."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fake_registry import INDEX, MANIFEST, PASSWORD, USER, FakeRegistry
from registry_place import in_own_network, layer, machine_images

from sampan.engine.contract import EngineError
from sampan.engine.images.contract import Credentials
from sampan.engine.images.documents import InvalidImage
from sampan.engine.images.machine_images import MachineImages

pytestmark = pytest.mark.real

KNOWN = Credentials(user=USER, password=PASSWORD)
SMALL = layer({"a": b"b"})

Body = Callable[[FakeRegistry, MachineImages], Awaitable[None]]


def with_registry(tmp_path: Path, body: Body) -> None:
    async def run() -> None:
        async with FakeRegistry(passwords=True) as registry:
            images = machine_images(tmp_path / "store")
            await body(registry, images)
            await images._store.collect()
            assert await images.list() == []
            assert images._store.blobs.digests() == set()
            assert images._store.layers.chains() == set()

    in_own_network(tmp_path, run)


def test_a_digest_that_differs(tmp_path: Path) -> None:
    async def body(registry: FakeRegistry, images: MachineImages) -> None:
        registry.add_image("1", SMALL)
        manifest = json.loads(registry.documents["1"][1])
        digest, size = manifest["layers"][0]["digest"], manifest["layers"][0]["size"]
        # Whoever trusts the name of the address alone takes anything of the right size.
        registry.blobs[digest] = bytes(size)
        with pytest.raises(InvalidImage, match="verification failed"):
            await images.pull(f"{registry.host}/app:1", credentials=KNOWN)
        assert list((images._store.folder / "partial").iterdir()) == []

    with_registry(tmp_path, body)


def test_a_size_that_differs(tmp_path: Path) -> None:
    async def body(registry: FakeRegistry, images: MachineImages) -> None:
        registry.add_image("1", SMALL)
        digest = json.loads(registry.documents["1"][1])["layers"][0]["digest"]
        registry.blobs[digest] += b"more than was said"
        with pytest.raises(InvalidImage, match="bytes, not"):
            await images.pull(f"{registry.host}/app:1", credentials=KNOWN)

    with_registry(tmp_path, body)


def test_a_manifest_under_another_digest(tmp_path: Path) -> None:
    async def body(registry: FakeRegistry, images: MachineImages) -> None:
        described = registry.add_image("1", SMALL)
        registry.add_image("2", layer({"evil": b""}))
        registry.documents[described["digest"]] = registry.documents["2"]
        with pytest.raises(InvalidImage, match="has the digest"):
            await images.pull(f"{registry.host}/app@{described['digest']}", credentials=KNOWN)

    with_registry(tmp_path, body)


@pytest.mark.parametrize("media_type", [MANIFEST, INDEX])
def test_a_document_that_is_both_manifest_and_index(tmp_path: Path, media_type: str) -> None:
    async def body(registry: FakeRegistry, images: MachineImages) -> None:
        described = registry.add_image("good", SMALL)
        manifest = json.loads(registry.documents["good"][1])
        both = manifest | {"mediaType": media_type, "manifests": [described]}
        # One reader sees layers in it, another one manifests: what was scanned is not what runs.
        assert both["layers"]
        assert both["manifests"]
        registry.add_document("1", media_type, both)
        with pytest.raises(InvalidImage, match="both a manifest and an index"):
            await images.pull(f"{registry.host}/app:1", credentials=KNOWN)

    with_registry(tmp_path, body)


def test_a_document_sent_as_what_it_is_not(tmp_path: Path) -> None:
    async def body(registry: FakeRegistry, images: MachineImages) -> None:
        registry.add_image("1", SMALL)
        registry.documents["1"] = (INDEX, registry.documents["1"][1])
        with pytest.raises(InvalidImage, match="was sent as"):
            await images.pull(f"{registry.host}/app:1", credentials=KNOWN)

    with_registry(tmp_path, body)


def test_a_layer_that_lies_at_the_address_of_a_thief(tmp_path: Path) -> None:
    async def body(registry: FakeRegistry, images: MachineImages) -> None:
        async with FakeRegistry(5001) as thief:
            blob = registry.add_blob(SMALL, "application/vnd.oci.image.layer.v1.tar")
            blob["urls"] = [f"http://{thief.host}/elsewhere/{blob['digest']}"]
            registry.add_image("1", SMALL, layers=[blob])
            with pytest.raises(InvalidImage, match="urls"):
                await images.pull(f"{registry.host}/app:1", credentials=KNOWN)
            assert thief.asked == []

    with_registry(tmp_path, body)


def test_a_redirect_elsewhere_is_followed_without_secrets(tmp_path: Path) -> None:
    async def body(registry: FakeRegistry, images: MachineImages) -> None:
        async with FakeRegistry(5001) as elsewhere:
            registry.add_image("1", SMALL)
            elsewhere.blobs = registry.blobs
            registry.redirect_blobs_to = elsewhere.host
            await images.pull(f"{registry.host}/app:1", credentials=KNOWN)
            assert registry.requests_of("blobs/")[0]["Authorization"].startswith("Basic ")
            assert elsewhere.asked
            assert all("Authorization" not in headers for _, _, headers in elsewhere.asked)
            await images.remove(f"{registry.host}/app:1")

    with_registry(tmp_path, body)


def test_a_huge_manifest(tmp_path: Path) -> None:
    async def body(registry: FakeRegistry, images: MachineImages) -> None:
        huge = {"schemaVersion": 2, "mediaType": MANIFEST, "annotations": {"a": "a" * (64 << 20)}}
        registry.add_document("1", MANIFEST, huge)
        with pytest.raises(InvalidImage, match="more than"):
            await images.pull(f"{registry.host}/app:1", credentials=KNOWN)
        nested = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        registry.add_document("2", MANIFEST, nested)
        with pytest.raises(InvalidImage, match="can't be read"):
            await images.pull(f"{registry.host}/app:2", credentials=KNOWN)

    with_registry(tmp_path, body)


def test_indexes_in_indexes_without_end(tmp_path: Path) -> None:
    async def body(registry: FakeRegistry, images: MachineImages) -> None:
        described = registry.add_image("0", SMALL)
        for number in range(1, 10):
            index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]}
            described = registry.add_document(str(number), INDEX, index)
        with pytest.raises(EngineError, match="no matching manifest"):
            await images.pull(f"{registry.host}/app:9", credentials=KNOWN)

    with_registry(tmp_path, body)


def test_what_a_registry_says_is_shown_harmlessly(tmp_path: Path) -> None:
    async def body(registry: FakeRegistry, images: MachineImages) -> None:
        with pytest.raises(EngineError) as caught:
            await images.pull(f"{registry.host}/app:nosuch", credentials=KNOWN)
        assert "manifest unknown" in str(caught.value)
        assert str(caught.value).isprintable()
        assert PASSWORD not in str(caught.value)

    with_registry(tmp_path, body)


def test_a_layer_of_another_image_than_its_configuration_says(tmp_path: Path) -> None:
    async def body(registry: FakeRegistry, images: MachineImages) -> None:
        registry.add_image("other", layer({"evil": b""}))
        evil = json.loads(registry.documents["other"][1])["layers"]
        registry.add_image("1", SMALL, layers=evil)
        with pytest.raises(InvalidImage, match="unpacks to"):
            await images.pull(f"{registry.host}/app:1", credentials=KNOWN)

    with_registry(tmp_path, body)
