"""The rules of containers (pkg/apis/core/validation validateContainers), in Kubernetes' words.

What they say of probes, environment, mounts, ports and resources is in files of their own.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from sampan.kubernetes.kinds.core.container_defaults import PROBES
from sampan.kubernetes.kinds.core.environment_validation import (
    check_environment,
    check_environment_sources,
)
from sampan.kubernetes.kinds.core.list_names import check_list_name
from sampan.kubernetes.kinds.core.mount_validation import check_devices, check_mounts
from sampan.kubernetes.kinds.core.port_validation import check_container_ports, check_host_ports
from sampan.kubernetes.kinds.core.probe_validation import check_lifecycle, check_probe
from sampan.kubernetes.kinds.core.resource_validation import check_claims, check_resources
from sampan.kubernetes.kinds.core.restart_validation import check_restarts
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import (
    duplicate,
    forbidden,
    invalid,
    not_found,
    required,
    unsupported,
)

DEFAULT_GRACE = 30
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_RESIZED = ("cpu", "memory")
_RESIZE_POLICIES = ("NotRequired", "RestartContainer")
_NOT_EPHEMERAL = (
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "resizePolicy",
    "startupProbe",
)


class PodParts(msgspec.Struct, frozen=True):
    """What the rules of a container need to know of its pod: volumes by name, the names of
    resource claims, the seconds for its end, its restart policy."""

    volumes: Mapping[str, Object]
    claims: frozenset[str]
    grace: int
    restart_policy: str


def parts_of(spec: Object) -> PodParts:
    return PodParts(
        {it.get("name", ""): it for it in spec.get("volumes") or ()},
        frozenset(it.get("name", "") for it in spec.get("resourceClaims") or ()),
        spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE),
        spec.get("restartPolicy", ""),
    )


def check_all_containers(spec: Object, field: str) -> Iterator[Cause]:
    """The three lists of a pod's containers."""
    parts = parts_of(spec)
    taken: set[str] = set()
    for index, container in enumerate(spec.get("containers") or ()):
        path = f"{field}.containers[{index}]"
        yield from check_list_name(container, path, taken)
        yield from _check_container(container, path, parts)
    yield from check_host_ports(spec.get("containers") or (), f"{field}.containers")
    for index, container in enumerate(spec.get("initContainers") or ()):
        path = f"{field}.initContainers[{index}]"
        yield from check_list_name(container, path, taken)
        yield from _check_container(container, path, parts)
        yield from _check_init_container(container, path)
        yield from check_host_ports((container,), f"{field}.initContainers")
    if "ephemeralContainers" in spec:
        yield from _check_ephemeral_containers(spec, field, parts, taken)


def _check_init_container(container: Object, path: str) -> Iterator[Cause]:
    """One that must end before others start has no probes and no hooks."""
    if container.get("restartPolicy") != "Always":
        for name in (*PROBES, "lifecycle"):
            if name in container:
                yield forbidden(
                    f"{path}.{name}",
                    "may not be set for init containers without restartPolicy=Always",
                )


def _check_ephemeral_containers(
    spec: Object, field: str, parts: PodParts, taken: set[str]
) -> Iterator[Cause]:
    targets = {
        it.get("name", "")
        for name in ("containers", "initContainers")
        for it in spec.get(name) or ()
    }
    for index, container in enumerate(spec["ephemeralContainers"]):
        path = f"{field}.ephemeralContainers[{index}]"
        yield from check_list_name(container, path, taken)
        yield from _check_container(container, path, parts)
        target = container.get("targetContainerName")
        if target and target not in targets:
            yield not_found(f"{path}.targetContainerName", target)
        for name in _NOT_EPHEMERAL:
            if container.get(name):
                yield forbidden(f"{path}.{name}", "cannot be set for an Ephemeral Container")
        if container.get("resources"):
            yield forbidden(f"{path}.resources", "cannot be set for an Ephemeral Container")
        for position, mount in enumerate(container.get("volumeMounts") or ()):
            for name in ("subPath", "subPathExpr"):
                if mount.get(name):
                    detail = "cannot be set for an Ephemeral Container"
                    yield forbidden(f"{path}.volumeMounts[{position}].{name}", detail)


def _check_container(container: Object, path: str, parts: PodParts) -> Iterator[Cause]:
    image = container.get("image", "")
    if not image:
        yield required(f"{path}.image")
    elif image != image.strip():
        yield invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    if container.get("imagePullPolicy") not in _PULL_POLICIES:
        policy = container.get("imagePullPolicy", "")
        yield unsupported(f"{path}.imagePullPolicy", policy, _PULL_POLICIES)
    if container.get("terminationMessagePolicy") not in _MESSAGE_POLICIES:
        policy = container.get("terminationMessagePolicy", "")
        yield unsupported(f"{path}.terminationMessagePolicy", policy, _MESSAGE_POLICIES)
    if "ports" in container:
        yield from check_container_ports(container["ports"], f"{path}.ports")
    if "env" in container:
        yield from check_environment(container["env"], f"{path}.env")
    if "envFrom" in container:
        yield from check_environment_sources(container["envFrom"], f"{path}.envFrom")
    if "volumeMounts" in container:
        yield from check_mounts(container, f"{path}.volumeMounts", parts.volumes)
    if "volumeDevices" in container:
        yield from check_devices(container, f"{path}.volumeDevices", parts.volumes)
    for name in PROBES:
        if name in container:
            yield from check_probe(container[name], f"{path}.{name}", name)
    if "lifecycle" in container:
        yield from check_lifecycle(container["lifecycle"], f"{path}.lifecycle", parts.grace)
    yield from _check_resources(container, path, parts)
    yield from check_restarts(container, path)


def _check_resources(container: Object, path: str, parts: PodParts) -> Iterator[Cause]:
    resources = container.get("resources")
    if resources:
        yield from check_resources(resources, f"{path}.resources")
        yield from check_claims(resources, f"{path}.resources.claims", parts.claims)
    if "resizePolicy" in container:
        yield from _check_resizing(container["resizePolicy"], f"{path}.resizePolicy", parts)


def _check_resizing(policies: Iterable[Object], field: str, parts: PodParts) -> Iterator[Cause]:
    """What a change of a container's resources does to it while it runs."""
    seen: set[str] = set()
    for index, entry in enumerate(policies):
        name, policy = entry.get("resourceName", ""), entry.get("restartPolicy", "")
        if name in seen:
            yield duplicate(f"{field}[{index}]", name)
        seen.add(name)
        if not name:
            yield required(field)
        elif name not in _RESIZED:
            yield unsupported(field, name, _RESIZED)
        if not policy:
            yield required(field)
        elif policy not in _RESIZE_POLICIES:
            yield unsupported(field, policy, _RESIZE_POLICIES)
        elif parts.restart_policy == "Never" and policy != "NotRequired":
            detail = "must be 'NotRequired' when `restartPolicy` is 'Never'"
            yield invalid(field, policy, detail)
