"""An APIService for each version of a group that this server serves itself.

The priorities are kube-apiserver's: they say which group, and which of its versions, a client
takes first when it knows only the name of a resource.
"""

from collections.abc import Iterable, Iterator

from sampan.control.api.bootstrap.standing import Renewal, Standing, named
from sampan.kubernetes.kinds.kind import Kind, Object
from sampan.kubernetes.kinds.resource import API_SERVICES

MANAGED = "kube-aggregator.kubernetes.io/automanaged"
_VERSION_PRIORITY = 15
_GROUP_PRIORITIES = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "storagemigration.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "resource.k8s.io": 15900,
}
_VERSION_PRIORITIES = {
    ("", "v1"): 1,
    ("autoscaling", "v2"): 30,
    ("flowcontrol.apiserver.k8s.io", "v1"): 21,
}


def standing_api_services(kinds: Iterable[Kind]) -> Iterator[Standing]:
    """The aggregator's own group is not among them, as with kube-apiserver."""
    served = dict.fromkeys((kind.resource.group, kind.resource.version) for kind in kinds)
    for group, version in served:
        if group in _GROUP_PRIORITIES:
            tree = named(API_SERVICES, f"{version}.{group}")
            tree["metadata"]["labels"] = {MANAGED: "onstart"}
            tree["spec"] = _spec(group, version)
            yield Standing(API_SERVICES, tree, _with_spec(tree["spec"]))


def _spec(group: str, version: str) -> Object:
    spec: Object = {
        "version": version,
        "groupPriorityMinimum": _GROUP_PRIORITIES[group],
        "versionPriority": _VERSION_PRIORITIES.get((group, version), _VERSION_PRIORITY),
    }
    return {"group": group, **spec} if group else spec


def _with_spec(spec: Object) -> Renewal:
    def renew(current: Object) -> Object | None:
        managed = MANAGED in (current["metadata"].get("labels") or {})
        return {**current, "spec": spec} if managed and current.get("spec") != spec else None

    return renew
