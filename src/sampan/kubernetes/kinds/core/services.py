"""Service: one name and address for many pods."""

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.core.service_address_validation import is_headless
from sampan.kubernetes.kinds.core.service_columns import COLUMNS
from sampan.kubernetes.kinds.core.service_validation import service_rules
from sampan.kubernetes.kinds.kind import Object, Subresource
from sampan.kubernetes.kinds.record import PROXY_VERBS, make
from sampan.kubernetes.kinds.resource import SERVICES

_AFFINITY_SECONDS = 10800
_ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
_NODE_PORT_TYPES = ("NodePort", "LoadBalancer")
_BALANCER_FIELDS = ("allocateLoadBalancerNodePorts", "loadBalancerClass")


def _default(service: Object) -> None:
    """pkg/apis/core/v1 SetDefaults_Service; a cluster has one address family."""
    spec = service.setdefault("spec", {})
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("type", "ClusterIP")
    if spec["sessionAffinity"] == "ClientIP":
        client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        client.setdefault("timeoutSeconds", _AFFINITY_SECONDS)
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if not port.get("targetPort") and "port" in port:
            port["targetPort"] = port["port"]
    if spec["type"] in _NODE_PORT_TYPES or spec.get("externalIPs"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    elif spec.get("clusterIPs") and not spec.get("clusterIP"):
        spec["clusterIP"] = spec["clusterIPs"][0]
    if spec["type"] != "ExternalName":
        _default_families(spec)


def _default_families(spec: Object) -> None:
    """Those of the cluster; endpoints that others write may be of both (pkg/registry/core/service
    initIPFamilyFields)."""
    if is_headless(spec) and not spec.get("selector"):
        spec.setdefault("ipFamilyPolicy", "RequireDualStack")
        dual = spec["ipFamilyPolicy"] != "SingleStack"
        families = spec.setdefault("ipFamilies", ["IPv4"])
        if dual and len(families) == 1:
            spec["ipFamilies"] = [*families, "IPv6" if families[0] == "IPv4" else "IPv4"]
    else:
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")


def _prepare(new: Object, old: Object | None) -> None:
    """An update that leaves out what was allocated keeps it; a change of type gives it up."""
    if old is None:
        new["status"] = {"loadBalancer": {}}
        return
    strategies.keep_status(new, old)
    spec, before = new["spec"], old.get("spec") or {}
    if spec["type"] != "ExternalName" and not spec.get("clusterIP"):
        for name in _ALLOCATED:
            if name in before:
                spec[name] = before[name]
    elif spec["type"] == "ExternalName" and spec.get("clusterIP") == before.get("clusterIP"):
        for name in (*_ALLOCATED, "internalTrafficPolicy"):
            spec.pop(name, None)
    given = {_identity(port): port.get("nodePort") for port in before.get("ports") or ()}
    for port in spec.get("ports") or ():
        earlier = given.get(_identity(port))
        if spec["type"] in _NODE_PORT_TYPES and earlier:
            port["nodePort"] = port.get("nodePort") or earlier
        elif before.get("type") in _NODE_PORT_TYPES and port.get("nodePort") == earlier:
            port.pop("nodePort", None)
    _drop_what_others_need(spec, before)


def _drop_what_others_need(spec: Object, before: Object) -> None:
    """Fields that a type needs go with it, when the writer left them as they were."""
    was_open = before.get("type") in _NODE_PORT_TYPES
    if was_open and spec["type"] not in _NODE_PORT_TYPES and not spec.get("externalIPs"):
        spec.pop("externalTrafficPolicy", None)
    if before.get("type") == "LoadBalancer" and spec["type"] != "LoadBalancer":
        for name in _BALANCER_FIELDS:
            if spec.get(name) == before.get(name):
                spec.pop(name, None)
    port = before.get("healthCheckNodePort")
    local = spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
    if port and local:
        spec.setdefault("healthCheckNodePort", port)
    elif port and spec.get("healthCheckNodePort") == port:
        del spec["healthCheckNodePort"]
    affinity = spec.get("sessionAffinityConfig")
    if spec["sessionAffinity"] == "None" and affinity == before.get("sessionAffinityConfig"):
        spec.pop("sessionAffinityConfig", None)


def _identity(port: Object) -> tuple[object, object]:
    return port.get("port"), port.get("protocol", "TCP")


SERVICE = make(
    SERVICES,
    default=_default,
    rules=service_rules,
    prepare=_prepare,
    status=True,
    name_form="label-1035",
    short_names=("svc",),
    categories=("all",),
    selectable=("spec.clusterIP", "spec.type"),
    subresources=(Subresource("proxy", "ServiceProxyOptions", "v1", PROXY_VERBS),),
    columns=COLUMNS,
)
