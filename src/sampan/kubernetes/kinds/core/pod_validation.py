"""The rules of pods and pod templates (pkg/apis/core/validation), in Kubernetes' words."""

import ipaddress
from collections.abc import Iterator
from typing import Any

from sampan.kubernetes.kinds.core.container_validation import check_containers
from sampan.kubernetes.kinds.core.pod_defaults import CONTAINER_LISTS
from sampan.kubernetes.kinds.core.scheduling_validation import check_placement
from sampan.kubernetes.kinds.core.security_validation import check_pod_security
from sampan.kubernetes.kinds.core.volume_validation import check_volumes
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_annotations, check_labels
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_MAXIMUM_DEADLINE = 2**31 - 1
_UPDATE_REFUSED = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
    "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
    "(allow it to be set to 1 if it was previously negative)"
)


def pod_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """A new pod, or an update, that may change little of the spec."""
    spec = new.get("spec") or {}
    if old is None:
        yield from check_pod_spec(spec, "spec")
    elif spec != old.get("spec"):
        yield from check_pod_spec(spec, "spec")
        yield from _check_update(spec, old.get("spec") or {})


def check_template(template: Object, field: str) -> Iterator[Cause]:
    """A pod template inside another object."""
    metadata = template.get("metadata") or {}
    yield from check_labels(metadata.get("labels"), f"{field}.metadata.labels")
    yield from check_annotations(metadata.get("annotations"), f"{field}.metadata.annotations")
    yield from check_pod_spec(template.get("spec") or {}, f"{field}.spec")


def check_pod_spec(spec: Object, field: str) -> Iterator[Cause]:
    volumes = {volume.get("name", "") for volume in spec.get("volumes") or ()}
    if not spec.get("containers"):
        yield required(f"{field}.containers")
    taken: set[str] = set()
    for name in CONTAINER_LISTS:
        yield from check_containers(spec.get(name) or [], f"{field}.{name}", volumes, taken)
    yield from check_volumes(spec.get("volumes") or [], f"{field}.volumes")
    for name, choices in (("restartPolicy", _RESTART_POLICIES), ("dnsPolicy", _DNS_POLICIES)):
        if spec.get(name) not in choices:
            yield unsupported(f"{field}.{name}", spec.get(name, ""), choices)
    yield from _check_numbers(spec, field)
    yield from _check_names(spec, field)
    yield from _check_network(spec, field)
    yield from check_placement(spec, field)
    yield from check_pod_security(spec, field)


def _check_numbers(spec: Object, field: str) -> Iterator[Cause]:
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        yield invalid(
            f"{field}.terminationGracePeriodSeconds",
            spec["terminationGracePeriodSeconds"],
            "must be greater than or equal to 0",
        )
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= _MAXIMUM_DEADLINE:
        detail = f"must be between 1 and {_MAXIMUM_DEADLINE}, inclusive"
        yield invalid(f"{field}.activeDeadlineSeconds", deadline, detail)


def _check_names(spec: Object, field: str) -> Iterator[Cause]:
    for name, check in (
        ("serviceAccountName", names.subdomain),
        ("nodeName", names.subdomain),
        ("hostname", names.label),
        ("subdomain", names.label),
        ("priorityClassName", names.subdomain),
        ("runtimeClassName", names.subdomain),
    ):
        if spec.get(name):
            for message in check(spec[name]):
                yield invalid(f"{field}.{name}", spec[name], message)
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        for message in names.qualified_name(gate.get("conditionType", "")):
            path = f"{field}.readinessGates[{index}].conditionType"
            yield invalid(path, gate.get("conditionType", ""), message)


def _check_network(spec: Object, field: str) -> Iterator[Cause]:
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        path = f"{field}.hostAliases[{index}]"
        yield from check_address(alias.get("ip", ""), f"{path}.ip")
        for position, name in enumerate(alias.get("hostnames") or ()):
            for message in names.subdomain(name):
                yield invalid(f"{path}.hostnames[{position}]", name, message)
    if spec.get("hostNetwork"):
        for name in ("initContainers", "containers"):
            yield from _check_host_ports(spec.get(name) or [], f"{field}.{name}")
    servers = (spec.get("dnsConfig") or {}).get("nameservers") or ()
    if spec.get("dnsPolicy") == "None" and not servers:
        detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        yield required(f"{field}.dnsConfig.nameservers", detail)
    for index, server in enumerate(servers):
        yield from check_address(server, f"{field}.dnsConfig.nameservers[{index}]")


def _check_host_ports(containers: list[Object], field: str) -> Iterator[Cause]:
    for index, container in enumerate(containers):
        for position, port in enumerate(container.get("ports") or ()):
            if port.get("hostPort") != port.get("containerPort"):
                path = f"{field}[{index}].ports[{position}].hostPort"
                detail = "must match `containerPort` when `hostNetwork` is true"
                yield invalid(path, port.get("hostPort", 0), detail)


def check_address(text: str, field: str) -> Iterator[Cause]:
    """An IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        yield invalid(field, text, detail)


def _check_update(new: Object, old: Object) -> Iterator[Cause]:
    """Images, the deadline, further tolerations: all else stays as it was created."""
    lists = ("containers", "initContainers")
    for name in lists:
        if len(new.get(name) or ()) != len(old.get(name) or ()):
            detail = "pod updates may not add or remove containers"
            yield forbidden(f"spec.{name}", detail)
            return
    earlier = old.get("tolerations") or []
    kept = all(toleration in (new.get("tolerations") or []) for toleration in earlier)
    grace = "terminationGracePeriodSeconds"
    shortened = new.get(grace) == old.get(grace) or (old.get(grace, 0) < 0 and new.get(grace) == 1)
    if not kept or not shortened or _fixed_part(new) != _fixed_part(old):
        yield forbidden("spec", _UPDATE_REFUSED)


def _fixed_part(spec: Object) -> Object:
    """What an update may not change."""
    changeable = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
    fixed: dict[str, Any] = {key: it for key, it in spec.items() if key not in changeable}
    for name in ("containers", "initContainers"):
        fixed[name] = [{**container, "image": ""} for container in spec.get(name) or ()]
    return fixed
