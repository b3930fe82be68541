"""An image as `GET /images/{name}/json` and `/images/json` tell of it. Pure.

Sources: the Engine API's `ImageInspect` and `ImageSummary`, and the version history.
"""

from typing import Any

import msgspec

from sampan.engine.containers.configuration import Configuration, converted, tree_of
from sampan.engine.images.contract import ImageDetail
from sampan.faces.dockerapi import times
from sampan.faces.dockerapi.versions import Version

# What old versions tell of an image though only containers have it.
_OF_CONTAINERS = frozenset(
    [
        "Hostname",
        "Domainname",
        "AttachStdin",
        "AttachStdout",
        "AttachStderr",
        "Tty",
        "OpenStdin",
        "StdinOnce",
        "Image",
        "NetworkDisabled",
        "MacAddress",
        "StopTimeout",
    ]
)
_OMITTED_WHEN_EMPTY = frozenset(
    [
        "Cmd",
        "Entrypoint",
        "Env",
        "Labels",
        "OnBuild",
        "User",
        "Volumes",
        "WorkingDir",
    ]
)
_UNTAGGED = "<none>:<none>"
_UNDIGESTED = "<none>@<none>"


def inspection(
    image: ImageDetail, version: Version, *, with_manifests: bool = False
) -> dict[str, Any]:
    configuration = _configuration(image, version)
    # In Docker's order, which `docker inspect` shows.
    tree: dict[str, Any] = {
        "Id": image.identifier,
        "RepoTags": list(image.tags),
        "RepoDigests": list(image.digests),
        "Parent": image.parent,
        "Comment": image.comment,
    }
    if image.created or version < (1, 44):
        tree["Created"] = image.created or times.NEVER
    if version < (1, 45):
        tree["Container"] = ""
        tree["ContainerConfig"] = tree_of(Configuration())
    tree |= {
        "DockerVersion": "",
        "Author": image.author,
        "Config": configuration,
        "Architecture": image.architecture,
    }
    if image.variant:
        tree["Variant"] = image.variant
    tree["Os"] = image.os
    if image.os_version:
        tree["OsVersion"] = image.os_version
    tree["Size"] = image.size
    if version < (1, 44):
        tree["VirtualSize"] = image.size
    tree |= {
        "GraphDriver": {"Data": _folders(image), "Name": "overlay2"},
        "RootFS": {"Type": "layers", "Layers": [layer.diff_id for layer in image.layers]},
        "Metadata": {"LastTagTime": times.written(times.of_seconds(image.tagged))},
    }
    if version >= (1, 48):
        tree["Descriptor"] = descriptor(image)
        if with_manifests:
            tree["Manifests"] = [_manifest(image)]
    if version >= (1, 52):
        for name in ("Parent", "Comment", "DockerVersion", "Author"):
            if not tree[name]:
                del tree[name]
    return tree


def _configuration(image: ImageDetail, version: Version) -> dict[str, Any]:
    tree: dict[str, Any] = tree_of(converted(msgspec.to_builtins(image.execution), Configuration))
    if version >= (1, 50):
        tree = {name: value for name, value in tree.items() if name not in _OF_CONTAINERS}
    if version >= (1, 52):
        tree = {
            name: value for name, value in tree.items() if value or name not in _OMITTED_WHEN_EMPTY
        }
    return tree


def _folders(image: ImageDetail) -> dict[str, str]:
    """`folders` are from the top down: the uppermost is an overlay's upper one."""
    if not image.folders:
        return {}
    tree = {"UpperDir": image.folders[0]}
    if image.folders[1:]:
        tree["LowerDir"] = ":".join(image.folders[1:])
    return tree


def descriptor(image: ImageDetail) -> dict[str, Any]:
    tree: dict[str, Any] = msgspec.to_builtins(image.target)
    return tree


def summary(
    image: ImageDetail,
    version: Version,
    *,
    shared_size: int = -1,
    containers: int = -1,
    with_manifests: bool = False,
) -> dict[str, Any]:
    tags: list[str] = list(image.tags)
    digests: list[str] = list(image.digests)
    if version < (1, 43) and not tags:
        tags = [_UNTAGGED]
        digests = digests or [_UNDIGESTED]
    tree: dict[str, Any] = {
        "Id": image.identifier,
        "ParentId": image.parent,
        "RepoTags": tags,
        "RepoDigests": digests,
        "Created": created_seconds(image),
        "Size": image.size,
        "SharedSize": shared_size,
        "Labels": image.execution.labels,
        "Containers": containers,
    }
    if version < (1, 44):
        tree["VirtualSize"] = image.size
    if version >= (1, 48):
        tree["Descriptor"] = descriptor(image)
    if with_manifests and version >= (1, 47):
        tree["Manifests"] = [_manifest(image)]
    return tree


def _manifest(image: ImageDetail) -> dict[str, Any]:
    """The one manifest that is in the store, in the shape of `ImageManifestSummary`."""
    platform = {"architecture": image.architecture, "os": image.os}
    if image.variant:
        platform["variant"] = image.variant
    content = image.target.size
    return {
        "ID": image.target.digest,
        "Descriptor": descriptor(image),
        "Available": True,
        "Kind": "image",
        "Size": {"Content": content, "Total": content + image.size},
        "ImageData": {
            "Platform": platform,
            "Size": {"Unpacked": image.size},
            "Containers": list(image.containers),
        },
    }


def created_seconds(image: ImageDetail) -> int:
    return times.read(image.created, 0) // times.SECOND if image.created else 0
