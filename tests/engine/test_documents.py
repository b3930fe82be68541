"""Documents of images that must not be believed."""

import pytest

from sampan.engine.images.documents import (
    DOCUMENT_LIMIT,
    InvalidImage,
    decode_configuration,
    decode_index,
    decode_manifest,
)

DIGEST = b"sha256:" + b"0" * 64
DESCRIPTOR = b'{"mediaType":"x","digest":"%s","size":1}' % DIGEST
MANIFEST = b'{"schemaVersion":2,"config":%s,"layers":[%s]}' % (DESCRIPTOR, DESCRIPTOR)


def test_a_plain_manifest() -> None:
    assert len(decode_manifest(MANIFEST).layers) == 1


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        b"[]",
        MANIFEST[:-1] + b',"manifests":[%s]}' % DESCRIPTOR,
        MANIFEST.replace(b"sha256:0", b"sha256:x"),
        MANIFEST.replace(b'"size":1}]', b'"size":1,"urls":["http://there"]}]'),
        b'{"config":%s,"layers":[%s]}' % (DESCRIPTOR, b",".join([DESCRIPTOR] * 200)),
        b" " * (DOCUMENT_LIMIT + 1),
        b"[" * 100_000,
    ],
)
def test_manifests_that_are_refused(document: bytes) -> None:
    with pytest.raises(InvalidImage):
        decode_manifest(document)


def test_an_index_that_is_a_manifest_too_is_refused() -> None:
    with pytest.raises(InvalidImage, match="both"):
        decode_index(MANIFEST[:-1] + b',"manifests":[%s]}' % DESCRIPTOR)


def test_a_configuration_with_a_path_for_a_digest_is_refused() -> None:
    document = b'{"architecture":"amd64","os":"linux","rootfs":{"diff_ids":["../../etc"]}}'
    with pytest.raises(InvalidImage):
        decode_configuration(document)


def test_null_is_a_list_of_nothing() -> None:
    found = decode_configuration(
        b'{"architecture":"amd64","os":"linux","history":null,'
        b'"rootfs":{"type":"layers","diff_ids":null}}'
    )
    assert (found.rootfs.diff_ids, found.history) == ((), ())
