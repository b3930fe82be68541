"""The OCI documents of an image: descriptors, manifests, indexes and configurations.

Decoding is strict where a document could mean two things, and bounded in size. Sources: the
OCI image specification 1.1 (descriptor, manifest, image-index, config). Nothing here touches
a disk.
"""

import hashlib
import re
from typing import Any, TypeVar

import msgspec

from sampan.engine.contract import EngineError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
CONFIGURATION_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = (MANIFEST_TYPE, DOCKER_MANIFEST_TYPE)
INDEX_TYPES = (INDEX_TYPE, DOCKER_INDEX_TYPE)
REFERENCE_ANNOTATION = "org.opencontainers.image.ref.name"
IMAGE_NAME_ANNOTATION = "io.containerd.image.name"

DOCUMENT_LIMIT = 4 << 20
_LAYER_COUNT_LIMIT = 127
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class InvalidImage(EngineError):
    """An image's documents or layers break the rules of their format."""


class Platform(msgspec.Struct, frozen=True, omit_defaults=True):
    architecture: str = ""
    os: str = ""
    variant: str = ""
    os_version: str = msgspec.field(name="os.version", default="")


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What a blob is, its digest and its size."""

    media_type: str
    digest: str
    size: int
    urls: tuple[str, ...] = ()
    annotations: dict[str, str] = {}
    platform: Platform | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    schema_version: int = 2
    media_type: str = MANIFEST_TYPE
    config: Descriptor
    layers: tuple[Descriptor, ...] = ()
    annotations: dict[str, str] | msgspec.UnsetType | None = msgspec.UNSET


class Index(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    schema_version: int = 2
    media_type: str = INDEX_TYPE
    manifests: tuple[Descriptor, ...] = ()
    annotations: dict[str, str] | msgspec.UnsetType | None = msgspec.UNSET


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    """How a container of the image is found to be well; times in nanoseconds."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ExecutionConfiguration(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"
):
    """How a container of the image runs, in the field names of the specification."""

    user: str = ""
    exposed_ports: dict[str, dict[str, Any]] | None = None
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    volumes: dict[str, dict[str, Any]] | None = None
    working_dir: str = ""
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    stop_timeout: int | None = None
    healthcheck: HealthCheck | None = None
    on_build: tuple[str, ...] | None = None
    shell: tuple[str, ...] | None = None
    args_escaped: bool = False


class RootFilesystem(msgspec.Struct, frozen=True, kw_only=True):
    type: str = "layers"
    diff_ids: tuple[str, ...] = ()


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The configuration document; `diff_ids` name the layers from the bottom up.

    `build_cache` has the key of each step of the history, "" where it has none, in images that
    lend their layers to later builds (an inline cache).
    """

    created: str = ""
    author: str = ""
    comment: str = ""
    architecture: str
    variant: str = ""
    os: str
    os_version: str = msgspec.field(name="os.version", default="")
    docker_version: str = ""
    config: ExecutionConfiguration | None = None
    rootfs: RootFilesystem
    history: tuple[History, ...] = ()
    build_cache: tuple[str, ...] = msgspec.field(name="dev.sampan.build.cache.v1", default=())

    @property
    def execution(self) -> ExecutionConfiguration:
        return self.config or ExecutionConfiguration()


def architecture_of(machine: str) -> str:
    """The name that images use for a machine as uname(2) names it."""
    return _ARCHITECTURES.get(machine, machine)


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def checked_digest(text: str) -> str:
    """`text` if it is a sha256 digest. Raises InvalidImage."""
    if not _DIGEST.fullmatch(text):
        raise InvalidImage(f"{text[:80]!r} is not a sha256 digest")
    return text


def encode(document: msgspec.Struct) -> bytes:
    """The one encoding that a document's digest is taken of."""
    return msgspec.json.encode(document)


def decode_manifest(data: bytes) -> Manifest:
    """Raises InvalidImage, also for one that could be read as an index."""
    _refuse_ambiguous(data)
    manifest = _decode(data, Manifest)
    if len(manifest.layers) > _LAYER_COUNT_LIMIT:
        raise InvalidImage(f"an image has at most {_LAYER_COUNT_LIMIT} layers")
    for descriptor in (manifest.config, *manifest.layers):
        checked_digest(descriptor.digest)
        if descriptor.urls:
            raise InvalidImage("layers that lie at foreign addresses (urls) are not fetched")
    return manifest


def decode_index(data: bytes) -> Index:
    """Raises InvalidImage, also for one that could be read as a manifest."""
    _refuse_ambiguous(data)
    index = _decode(data, Index)
    for descriptor in index.manifests:
        checked_digest(descriptor.digest)
    return index


def is_index(data: bytes) -> bool:
    """Which of the two a document is. Raises InvalidImage for one that could be either."""
    _refuse_ambiguous(data)
    return bool(bytes(_decode(data, _Ambiguity).manifests))


def decode_configuration(data: bytes) -> ImageConfiguration:
    """Raises InvalidImage."""
    configuration = _decode(data, ImageConfiguration)
    for digest in configuration.rootfs.diff_ids:
        checked_digest(digest)
    return configuration


class _Ambiguity(msgspec.Struct):
    config: msgspec.Raw = msgspec.Raw()
    layers: msgspec.Raw = msgspec.Raw()
    manifests: msgspec.Raw = msgspec.Raw()


def _refuse_ambiguous(data: bytes) -> None:
    """A document with the members of both could be checked as one and used as the other."""
    members = _decode(data, _Ambiguity)
    if bytes(members.manifests) and (bytes(members.config) or bytes(members.layers)):
        raise InvalidImage("the document is both a manifest and an index")


_Document = TypeVar("_Document")


def _decode(data: bytes, kind: type[_Document]) -> _Document:
    if len(data) > DOCUMENT_LIMIT:
        raise InvalidImage(f"an image document has more than {DOCUMENT_LIMIT} bytes")
    try:
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.ValidationError:
            # Go writes null for a list of nothing.
            return msgspec.convert(without_nulls(msgspec.json.decode(data)), kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidImage(f"an image document can't be read: {error}") from error


def without_nulls(tree: Any) -> Any:
    """A document whose members of nothing are left out: they mean the same."""
    if isinstance(tree, dict):
        return {name: without_nulls(member) for name, member in tree.items() if member is not None}
    if isinstance(tree, list):
        return [without_nulls(member) for member in tree]
    return tree
