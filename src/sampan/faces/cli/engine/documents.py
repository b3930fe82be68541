"""The engine's documents as templates see them: maps apart from structs, nil apart from nothing.

JSON tells neither, and leaves empty fields out; the names of fields tell. Pure. Source: Docker's
Engine API, and the names that its own client gives the fields.
"""

from collections.abc import Mapping
from typing import Any

from sampan.faces.cli.templates.filling import plain_field
from sampan.faces.cli.templates.values import GoList, GoMap

# Fields whose value is a map, and what it has for a key that isn't there.
_MAPS: Mapping[str, Any] = {
    "Annotations": "",
    "Attributes": "",
    "Containers": {},
    "Data": "",
    "Details": "",
    "DriverOpts": "",
    "ExposedPorts": {},
    "IndexConfigs": None,
    "Labels": "",
    "Networks": None,
    "Options": "",
    "PortBindings": GoList(is_nil=True),
    "Ports": GoList(is_nil=True),
    "Runtimes": {},
    "Status": None,
    "StorageOpt": "",
    "Sysctls": "",
    "Tmpfs": "",
    "Volumes": {},
}
_LOG_OPTIONS = "Type"
# Fields whose null is a pointer's; that of any other is an empty list's.
_POINTERS = frozenset(
    (
        *("Descriptor", "Health", "Healthcheck", "IPAMConfig", "Init", "MemorySwappiness"),
        *("OomKillDisable", "PidsLimit", "Platform", "SizeRootFs", "SizeRw", "StopTimeout"),
        *("Swarm", "UsageData", "ContainerConfig", "BindOptions", "VolumeOptions", "TmpfsOptions"),
    )
)
# Fields that are left out where they are empty, and what they are then.
_LEFT_OUT: Mapping[str, Any] = {
    **dict.fromkeys(_POINTERS),
    **{name: GoMap(zero=zero, is_nil=True) for name, zero in _MAPS.items()},
    **dict.fromkeys(("Mounts", "Manifests", "Shell", "MaskedPaths"), GoList(is_nil=True)),
    **dict.fromkeys(("ArgsEscaped", "NetworkDisabled"), False),
    **dict.fromkeys(("CreatedAt", "From", "ID", "IPRange", "MacAddress", "OsVersion"), ""),
    **dict.fromkeys(("Parent", "Status", "StopSignal", "Variant"), ""),
}
# What Docker's client calls a field, where the API has another name for it.
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "APIVersion": ("ApiVersion",),
    "Action": ("action",),
    "Actor": ("actor",),
    "CPUCfsPeriod": ("CpuCfsPeriod",),
    "CPUCfsQuota": ("CpuCfsQuota",),
    "CPUPercent": ("CpuPercent",),
    "CPUPeriod": ("CpuPeriod",),
    "CPUQuota": ("CpuQuota",),
    "CPURealtimePeriod": ("CpuRealtimePeriod",),
    "CPURealtimeRuntime": ("CpuRealtimeRuntime",),
    "CPUShares": ("CpuShares",),
    "DNS": ("Dns",),
    "DNSOptions": ("DnsOptions",),
    "DNSSearch": ("DnsSearch",),
    "From": ("from",),
    "ID": ("Id", "id"),
    "NanoCPUs": ("NanoCpus",),
    "Scope": ("scope",),
    "Status": ("status",),
    "Time": ("time",),
    "TimeNano": ("timeNano",),
}


def document(tree: Any, name: str = "") -> Any:
    """A JSON tree as a template's value; `name` is the field that it is the value of."""
    if isinstance(tree, dict):
        named = {key: document(value, key) for key, value in tree.items()}
        if isinstance(named.get("Config"), dict) and _LOG_OPTIONS in tree:
            named["Config"] = GoMap(named["Config"])
        return GoMap(named, _MAPS[name]) if name in _MAPS else named
    if isinstance(tree, list):
        return GoList(document(item) for item in tree)
    if tree is not None or name in _POINTERS or not name:
        return tree
    return GoMap(zero=_MAPS[name], is_nil=True) if name in _MAPS else GoList(is_nil=True)


def document_field(struct: Mapping[str, Any], name: str) -> Any:
    """A field by either of its names, or what it is where it was left out.

    Raises TemplateFailed for a field that no document has.
    """
    for known in (name, *_OTHER_NAMES.get(name, ())):
        if known in struct:
            return struct[known]
    return _LEFT_OUT[name] if name in _LEFT_OUT else plain_field(struct, name)
