"""The rules of pods that name their operating system: no fields of the other one."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.core.pod_defaults import containers_with_path
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import forbidden, required, unsupported

_SYSTEMS = ("linux", "windows")
_LINUX_POD = ("hostPID", "hostIPC", "hostUsers", "shareProcessNamespace")
_LINUX_SECURITY = (
    "appArmorProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "runAsGroup",
    "runAsUser",
    "seLinuxChangePolicy",
    "seLinuxOptions",
    "seccompProfile",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "sysctls",
)
_LINUX_CONTAINER = (
    "allowPrivilegeEscalation",
    "appArmorProfile",
    "capabilities",
    "privileged",
    "procMount",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
)


def check_operating_system(spec: Object, field: str) -> Iterator[Cause]:
    name = spec["os"].get("name", "")
    if not name:
        yield required(f"{field}.os.name")
    elif name not in _SYSTEMS:
        yield unsupported(f"{field}.os", name, _SYSTEMS)
    elif name == "linux":
        yield from _check_linux(spec, field)
    else:
        yield from _check_windows(spec, field)


def _check_linux(spec: Object, field: str) -> Iterator[Cause]:
    for holder, path in _with_context(spec, field):
        if (holder.get("securityContext") or {}).get("windowsOptions") is not None:
            detail = "windows options cannot be set for a linux pod"
            yield forbidden(f"{path}.securityContext.windowsOptions", detail)


def _check_windows(spec: Object, field: str) -> Iterator[Cause]:
    detail = "cannot be set for a windows pod"
    for name in _LINUX_POD:
        if spec.get(name) is not None:
            yield forbidden(f"{field}.{name}", detail)
    for holder, path in _with_context(spec, field):
        context = holder.get("securityContext") or {}
        for name in _LINUX_SECURITY if holder is spec else _LINUX_CONTAINER:
            if context.get(name) is not None:
                yield forbidden(f"{path}.securityContext.{name}", detail)


def _with_context(spec: Object, field: str) -> Iterator[tuple[Object, str]]:
    """The pod's spec and its containers: all that have a security context."""
    yield spec, field
    yield from containers_with_path(spec, field)
