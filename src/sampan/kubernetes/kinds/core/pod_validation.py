"""The rules of pods and pod templates (pkg/apis/core/validation), in Kubernetes' words.

What they say of containers, volumes, placement, names in the network and security is in files
of their own; what an update may change is in `pod_update`.
"""

from collections.abc import Iterator

from sampan.kubernetes.kinds.core.container_validation import check_all_containers
from sampan.kubernetes.kinds.core.operating_system import check_operating_system
from sampan.kubernetes.kinds.core.pod_network_validation import check_pod_network
from sampan.kubernetes.kinds.core.pod_update import check_pod_update
from sampan.kubernetes.kinds.core.resource_validation import check_overhead, check_pod_resources
from sampan.kubernetes.kinds.core.scheduling_validation import check_placement
from sampan.kubernetes.kinds.core.security_validation import check_pod_security
from sampan.kubernetes.kinds.core.volume_validation import check_volumes
from sampan.kubernetes.kinds.field_rules import check_choice, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_annotations, check_labels
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import (
    duplicate,
    forbidden,
    invalid,
    required,
    unsupported,
)
from sampan.kubernetes.machinery.familiar import remembering

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTION_POLICIES = ("Never", "PreemptLowerPriority")
_MAXIMUM_DEADLINE = 2**31 - 1
_NAMES = (
    ("serviceAccountName", names.subdomain),
    ("nodeName", names.subdomain),
    ("hostname", names.label),
    ("subdomain", names.label),
    ("priorityClassName", names.subdomain),
    ("runtimeClassName", names.subdomain),
    ("schedulerName", names.subdomain),
)


def pod_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """A new pod, or an update, that may change little of the spec."""
    spec = new.get("spec") or {}
    if old is None:
        yield from _causes_of_new(spec)
        if spec.get("ephemeralContainers"):
            yield forbidden("spec.ephemeralContainers", "cannot be set on create")
        if spec.get("schedulingGates") and spec.get("nodeName"):
            detail = "cannot be set until all schedulingGates have been cleared"
            yield forbidden("spec.nodeName", detail)
    elif spec != old.get("spec"):
        yield from check_pod_spec(spec, "spec")
        yield from check_pod_update(spec, old.get("spec") or {})


def check_template(template: Object, field: str) -> Iterator[Cause]:
    """A pod template inside another object."""
    metadata = template.get("metadata") or {}
    yield from check_labels(metadata.get("labels"), f"{field}.metadata.labels")
    yield from check_annotations(metadata.get("annotations"), f"{field}.metadata.annotations")
    spec = template.get("spec") or {}
    yield from check_pod_spec(spec, f"{field}.spec")
    if spec.get("ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        yield forbidden(f"{field}.spec.ephemeralContainers", detail)


def check_pod_spec(spec: Object, field: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield required(f"{field}.containers")
    if "volumes" in spec:
        yield from check_volumes(spec["volumes"], f"{field}.volumes")
    yield from check_all_containers(spec, field)
    if "resourceClaims" in spec:
        yield from _check_resource_claims(spec["resourceClaims"], f"{field}.resourceClaims")
    for name, choices in (("restartPolicy", _RESTART_POLICIES), ("dnsPolicy", _DNS_POLICIES)):
        if spec.get(name) not in choices:
            yield unsupported(f"{field}.{name}", spec.get(name, ""), choices)
    yield from check_choice(spec, "preemptionPolicy", _PREEMPTION_POLICIES, field)
    yield from _check_numbers(spec, field)
    for name, check in _NAMES:
        if spec.get(name):
            yield from check_text(check, spec[name], f"{field}.{name}")
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        path = f"{field}.readinessGates[{index}].conditionType"
        yield from check_text(names.qualified_name, gate.get("conditionType", ""), path)
    yield from check_pod_network(spec, field)
    yield from check_placement(spec, field)
    yield from check_pod_security(spec, field)
    if "overhead" in spec:
        yield from check_overhead(spec["overhead"], f"{field}.overhead")
    if "resources" in spec:
        yield from check_pod_resources(spec, field)
    if "os" in spec:
        yield from check_operating_system(spec, field)


@remembering
def _causes_of_new(spec: Object) -> tuple[Cause, ...]:
    return tuple(check_pod_spec(spec, "spec"))


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


def _check_resource_claims(claims: list[Object], field: str) -> Iterator[Cause]:
    """Each names a claim, or a template of one, and not both."""
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        path = f"{field}[{index}]"
        name = claim.get("name", "")
        if not name:
            yield required(f"{path}.name")
        elif name in seen:
            yield duplicate(f"{path}.name", name)
        else:
            yield from check_text(names.label, name, f"{path}.name")
        seen.add(name)
        given = [it for it in ("resourceClaimName", "resourceClaimTemplateName") if it in claim]
        if not given:
            detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            yield invalid(path, "", detail)
        elif len(given) == 2:
            detail = (
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            )
            yield invalid(path, "", detail)
        for key in given:
            yield from check_text(names.subdomain, claim[key], f"{path}.{key}")
