"""Reading manifests and indexes from a registry: bounded, and what they say they are."""

import re
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import msgspec

from sampan.engine.images.documents import (
    DOCUMENT_LIMIT,
    INDEX_TYPES,
    MANIFEST_TYPES,
    InvalidImage,
    decode_index,
    decode_manifest,
    digest_of,
    is_index,
)
from sampan.engine.images.registry.connection import RegistryConnection

_ACCEPTED = ", ".join((*INDEX_TYPES, *MANIFEST_TYPES))
_TAG_PAGE = 1000
_TAG_LIMIT = 100_000
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


class FetchedDocument(msgspec.Struct, frozen=True):
    media_type: str
    digest: str
    data: bytes

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEX_TYPES


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


async def fetch_document(
    connection: RegistryConnection, reference: str, size: int = -1
) -> FetchedDocument:
    """The manifest or index of a tag or digest; of `size` bytes if that is known.

    Raises InvalidImage when it isn't what its digest, size or type say, RegistryRefusal,
    aiohttp.ClientError.
    """
    url = connection.url(f"manifests/{reference}")
    async with connection.request("GET", url, headers={"Accept": _ACCEPTED}) as answer:
        data = await read_bounded(answer.content.iter_any())
        content_type = answer.content_type
        told = answer.headers.get("Docker-Content-Digest", "")
    digest = digest_of(data)
    wanted = reference if ":" in reference else told
    if wanted.startswith("sha256:") and wanted != digest:
        raise InvalidImage(f"the manifest of {reference} has the digest {digest}, not {wanted}")
    if size not in (-1, len(data)):
        raise InvalidImage(f"the manifest {digest} has {len(data)} bytes, not {size}")
    return FetchedDocument(_media_type(data, content_type), digest, data)


def _media_type(data: bytes, content_type: str) -> str:
    """What the document is by itself, which must be what it was sent as."""
    media_type = decode_index(data).media_type if is_index(data) else _manifest_type(data)
    if content_type in (*INDEX_TYPES, *MANIFEST_TYPES) and content_type != media_type:
        raise InvalidImage(f"a document of type {media_type[:100]!r} was sent as {content_type!r}")
    return media_type


def _manifest_type(data: bytes) -> str:
    manifest = decode_manifest(data)
    if manifest.schema_version != 2 or manifest.media_type not in MANIFEST_TYPES:
        raise InvalidImage(
            f"manifests of type {manifest.media_type[:100]!r}, version {manifest.schema_version}, "
            "are not supported"
        )
    return manifest.media_type


async def read_bounded(pieces: AsyncIterator[bytes], limit: int = DOCUMENT_LIMIT) -> bytes:
    """Raises InvalidImage when more than `limit` bytes come."""
    data = bytearray()
    async for piece in pieces:
        data += piece
        if len(data) > limit:
            raise InvalidImage(f"an image document has more than {limit} bytes")
    return bytes(data)


async def all_tags(connection: RegistryConnection) -> list[str]:
    """Every tag of the repository. Raises RegistryRefusal, InvalidImage."""
    tags: list[str] = []
    url = connection.url(f"tags/list?n={_TAG_PAGE}")
    while url and len(tags) < _TAG_LIMIT:
        async with connection.request("GET", url) as answer:
            data = await read_bounded(answer.content.iter_any())
            following = _NEXT.search(answer.headers.get("Link", ""))
        try:
            tags += msgspec.json.decode(data, type=_Tags).tags or []
        except msgspec.DecodeError as error:
            raise InvalidImage(f"the list of tags can't be read: {error}") from error
        url = urljoin(url, following.group(1)) if following else ""
    return tags
