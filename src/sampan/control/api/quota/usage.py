"""What one object counts for, and which quotas count it. Pure.

The rules are those of "Resource Quotas" and k8s.io/kubernetes `pkg/quota/v1/evaluator/core`.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from sampan.kubernetes.kinds.core.pod_quality import quality_of_service
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.resource import PERSISTENT_VOLUME_CLAIMS, PODS, SERVICES
from sampan.kubernetes.machinery.pod_resources import Amounts, amounts, pod_amounts
from sampan.kubernetes.machinery.timestamps import parse

_ONE = Decimal(1)
_LONG_NAMES = ("cpu", "memory", "ephemeral-storage")
_BY_CONTAINER = frozenset(
    (
        *("cpu", "memory"),
        *(f"{side}.{it}" for side in ("requests", "limits") for it in ("cpu", "memory")),
    )
)
_ENDED = ("Succeeded", "Failed")
_CLASS = ".storageclass.storage.k8s.io/"


def usage_of(kind: Kind, tree: Object, now: datetime) -> Amounts:
    """How much of each thing that a quota can name an object uses."""
    resource = kind.resource
    suffix = f".{resource.group}" if resource.group else ""
    used = {f"count/{resource.plural}{suffix}": _ONE}
    if resource == PODS:
        used |= _pod(tree, now)
    elif resource == PERSISTENT_VOLUME_CLAIMS:
        used |= _claim(tree)
    elif resource == SERVICES:
        used |= _service(tree)
    elif not resource.group:
        used[resource.plural] = _ONE
    return used


def _pod(pod: Object, now: datetime) -> Amounts:
    if not counts(pod, now):
        return {}
    spec = pod.get("spec") or {}
    used: Amounts = {"pods": _ONE}
    for name, value in pod_amounts(spec, "requests").items():
        used[f"requests.{name}"] = value
        if name in _LONG_NAMES or name.startswith("hugepages-"):
            used[name] = value
    for name, value in pod_amounts(spec, "limits").items():
        if name in _LONG_NAMES:
            used[f"limits.{name}"] = value
    return used


def counts(pod: Object, now: datetime) -> bool:
    """Whether a pod uses anything: not after its end, nor when it should have been gone."""
    if (pod.get("status") or {}).get("phase") in _ENDED:
        return False
    metadata = pod["metadata"]
    grace = metadata.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" in metadata and grace is not None:
        return now <= parse(metadata["deletionTimestamp"]) + timedelta(seconds=grace)
    return True


def _claim(claim: Object) -> Amounts:
    spec = claim.get("spec") or {}
    requested = amounts((spec.get("resources") or {}).get("requests")).get("storage")
    used: Amounts = {"persistentvolumeclaims": _ONE}
    if requested is not None:
        used["requests.storage"] = requested
    if spec.get("storageClassName"):
        prefix = spec["storageClassName"] + _CLASS
        used |= {prefix + name: value for name, value in list(used.items())}
    return used


def _service(service: Object) -> Amounts:
    spec = service.get("spec") or {}
    ports = Decimal(len(spec.get("ports") or ()))
    kind = spec.get("type")
    allocates = kind == "NodePort" or (
        kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
    )
    return {
        "services": _ONE,
        "services.nodeports": ports if allocates else Decimal(0),
        "services.loadbalancers": Decimal(kind == "LoadBalancer"),
    }


def unspecified(kind: Kind, tree: Object, hard: Iterable[str]) -> str:
    """What a quota limits and a pod's containers must therefore say; empty when all is said.

    `limits.cpu for: a,b; memory for: a`.
    """
    spec = tree.get("spec") or {}
    if kind.resource != PODS or spec.get("resources"):
        return ""
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    missing: dict[str, list[str]] = {}
    for name in sorted(_BY_CONTAINER & set(hard)):
        side, _, plain = name.rpartition(".")
        for container in containers:
            given = (container.get("resources") or {}).get(side or "requests") or {}
            if plain not in given:
                missing.setdefault(name, []).append(container["name"])
    return "; ".join(f"{name} for: {','.join(names)}" for name, names in missing.items())


def is_in_scope(spec: Object, kind: Kind, tree: Object) -> bool:
    """Whether a quota with this spec looks at an object: it must be in every scope."""
    return all(_matches(name, test, kind, tree) for name, test in _scopes(spec))


def _scopes(spec: Object) -> Iterator[tuple[str, Object]]:
    for name in spec.get("scopes") or ():
        yield name, {"operator": "Exists"}
    for expression in (spec.get("scopeSelector") or {}).get("matchExpressions") or ():
        yield expression["scopeName"], expression


def _matches(name: str, test: Object, kind: Kind, tree: Object) -> bool:
    spec = tree.get("spec") or {}
    if kind.resource == PERSISTENT_VOLUME_CLAIMS:
        return name == "VolumeAttributesClass" and _is_among(
            spec.get("volumeAttributesClassName") or "", test
        )
    if kind.resource != PODS:
        return False
    if name == "PriorityClass":
        return _is_among(spec.get("priorityClassName") or "", test)
    return name in _POD_SCOPES and _POD_SCOPES[name](spec)


def _is_among(value: str, test: Object) -> bool:
    values = test.get("values") or ()
    return {
        "Exists": bool(value),
        "DoesNotExist": not value,
        "In": value in values,
        "NotIn": value not in values,
    }.get(test.get("operator", ""), False)


def _is_terminating(spec: Object) -> bool:
    return spec.get("activeDeadlineSeconds") is not None


def _crosses_namespaces(spec: Object) -> bool:
    affinity = spec.get("affinity") or {}
    return any(
        term.get("namespaces") or term.get("namespaceSelector") is not None
        for side in ("podAffinity", "podAntiAffinity")
        for term in _terms(affinity.get(side) or {})
    )


def _terms(side: Object) -> Iterator[Object]:
    yield from side.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    for weighted in side.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
        yield weighted.get("podAffinityTerm") or {}


_POD_SCOPES: dict[str, Callable[[Object], bool]] = {
    "Terminating": _is_terminating,
    "NotTerminating": lambda spec: not _is_terminating(spec),
    "BestEffort": lambda spec: quality_of_service(spec) == "BestEffort",
    "NotBestEffort": lambda spec: quality_of_service(spec) != "BestEffort",
    "CrossNamespacePodAffinity": _crosses_namespaces,
}
