"""The rules of a pod's volumes."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.core.container_validation import check_local_path
from sampan.kubernetes.kinds.core.list_names import check_list_name
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported

_HOST_PATH_TYPES = (
    "",
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
)
_MAXIMUM_MODE = 0o777
_MINIMUM_TOKEN_SECONDS = 600
_MAXIMUM_TOKEN_SECONDS = 1 << 32
# The field that names what a source refers to, where one must be given.
_NAMED_SOURCES = {"secret": "secretName", "configMap": "name"}


def check_volumes(volumes: list[Object], field: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        path = f"{field}[{index}]"
        yield from check_list_name(volume, path, seen)
        yield from _check_source(volume, path)


def _check_source(volume: Object, path: str) -> Iterator[Cause]:
    sources = [name for name in volume if name != "name"]
    if not sources:
        yield required(path, "must specify a volume type")
    for extra in sources[1:]:
        yield forbidden(f"{path}.{extra}", "may not specify more than 1 volume type")
    for name, key in _NAMED_SOURCES.items():
        if name in volume and not volume[name].get(key):
            yield required(f"{path}.{name}.{key}")
    for name in ("secret", "configMap", "downwardAPI", "projected"):
        if name in volume:
            yield from _check_files(volume[name], f"{path}.{name}")
    if "hostPath" in volume:
        yield from _check_host_path(volume["hostPath"], f"{path}.hostPath")
    for index, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
        yield from _check_projection(source, f"{path}.projected.sources[{index}]")


def _check_host_path(source: Object, field: str) -> Iterator[Cause]:
    if ".." in source.get("path", "").split("/"):
        yield invalid(f"{field}.path", source["path"], "must not contain '..'")
    if source.get("type", "") not in _HOST_PATH_TYPES:
        yield unsupported(f"{field}.type", source["type"], _HOST_PATH_TYPES)


def _check_files(source: Object, field: str) -> Iterator[Cause]:
    modes = [("defaultMode", source.get("defaultMode"))]
    for index, item in enumerate(source.get("items") or ()):
        modes.append((f"items[{index}].mode", item.get("mode")))
        yield from check_local_path(item.get("path", ""), f"{field}.items[{index}].path")
    for name, mode in modes:
        if mode is not None and not 0 <= mode <= _MAXIMUM_MODE:
            detail = "must be a number between 0 and 0777 (octal), both inclusive"
            yield invalid(f"{field}.{name}", mode, detail)


def _check_projection(source: Object, field: str) -> Iterator[Cause]:
    if len(source) > 1:
        yield forbidden(field, "may not specify more than 1 volume type")
    for name in ("secret", "configMap", "downwardAPI"):
        if name in source:
            yield from _check_files(source[name], f"{field}.{name}")
    token = source.get("serviceAccountToken")
    if token is not None:
        seconds = token.get("expirationSeconds", _MINIMUM_TOKEN_SECONDS)
        if seconds < _MINIMUM_TOKEN_SECONDS:
            detail = "may not specify a duration less than 10 minutes"
            yield invalid(f"{field}.serviceAccountToken.expirationSeconds", seconds, detail)
        if seconds > _MAXIMUM_TOKEN_SECONDS:
            detail = "may not specify a duration larger than 2^32 seconds"
            yield invalid(f"{field}.serviceAccountToken.expirationSeconds", seconds, detail)
        yield from check_local_path(token.get("path", ""), f"{field}.serviceAccountToken.path")
