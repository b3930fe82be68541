"""The rules of services (pkg/apis/core/validation ValidateService), in Kubernetes' words.

Those of their addresses and families are in `service_address_validation`.
"""

from collections.abc import Iterator

from sampan.kubernetes.kinds.core.port_validation import (
    PROTOCOLS,
    check_port_reference,
    is_port,
)
from sampan.kubernetes.kinds.core.service_address_validation import (
    check_address_update,
    check_service_addresses,
    is_headless,
)
from sampan.kubernetes.kinds.field_rules import PORT_RANGE, check_range, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import IMMUTABLE, check_labels
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import duplicate, forbidden, invalid, required, unsupported

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_POLICIES = ("Cluster", "Local")
_DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
_LONGEST_AFFINITY = 86400
_KUBELET_PORT = 10250
_BALANCER_FIELDS = ("allocateLoadBalancerNodePorts", "loadBalancerClass")
_BALANCER_ONLY = "may only be used when `type` is 'LoadBalancer'"


def service_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    kind = spec.get("type", "")
    if kind not in _TYPES:
        yield unsupported("spec.type", kind, _TYPES)
    yield from check_labels(spec.get("selector"), "spec.selector")
    yield from _check_ports(spec)
    yield from _check_affinity(spec)
    yield from check_service_addresses(spec)
    yield from _check_balancing(spec)
    yield from _check_policies(spec)
    if kind == "ExternalName":
        yield from _check_external_name(spec)
    if old is not None:
        before = old.get("spec") or {}
        yield from check_address_update(spec, before)
        yield from _check_class_update(spec, before)


def _check_ports(spec: Object) -> Iterator[Cause]:
    ports = spec.get("ports") or []
    if not ports and spec.get("type") != "ExternalName" and not is_headless(spec):
        yield required("spec.ports")
    seen_names: set[str] = set()
    seen_ports: set[tuple[object, object]] = set()
    seen_node_ports: set[tuple[object, object]] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        yield from _check_port(port, path, spec, needs_name=len(ports) > 1)
        name, protocol = port.get("name", ""), port.get("protocol")
        if name and name in seen_names:
            yield duplicate(f"{path}.name", name)
        if (port.get("port"), protocol) in seen_ports:
            yield duplicate(path, {"protocol": protocol, "port": port.get("port")})
        number = port.get("nodePort")
        if number and (number, protocol) in seen_node_ports:
            yield duplicate(f"{path}.nodePort", number)
        seen_names.add(name)
        seen_ports.add((port.get("port"), protocol))
        seen_node_ports.add((number, protocol))


def _check_port(port: Object, path: str, spec: Object, *, needs_name: bool) -> Iterator[Cause]:
    name, number = port.get("name", ""), port.get("port", 0)
    if not name and needs_name:
        yield required(f"{path}.name")
    if name:
        yield from check_text(names.label, name, f"{path}.name")
    if not is_port(number):
        yield invalid(f"{path}.port", number, PORT_RANGE)
    if number == _KUBELET_PORT and spec.get("type") == "LoadBalancer":
        detail = f"may not expose port {number} externally since it is used by kubelet"
        yield invalid(path, number, detail)
    if port.get("protocol") not in PROTOCOLS:
        yield unsupported(f"{path}.protocol", port.get("protocol", ""), PROTOCOLS)
    if "targetPort" in port:
        yield from check_port_reference(port["targetPort"], f"{path}.targetPort")
    if port.get("appProtocol"):
        yield from check_text(names.qualified_name, port["appProtocol"], f"{path}.appProtocol")
    if port.get("nodePort") and spec.get("type") in ("ClusterIP", "ExternalName"):
        detail = f"may not be used when `type` is '{spec['type']}'"
        yield forbidden(f"{path}.nodePort", detail)


def _check_affinity(spec: Object) -> Iterator[Cause]:
    """Whether one client's connections go to one pod, and for how long."""
    affinity, given = spec.get("sessionAffinity", ""), spec.get("sessionAffinityConfig")
    field = "spec.sessionAffinityConfig"
    if not affinity:
        yield required("spec.sessionAffinity")
    elif affinity not in _AFFINITIES:
        yield unsupported("spec.sessionAffinity", affinity, _AFFINITIES)
    elif affinity == "None":
        if given is not None:
            yield forbidden(field, "must not be set when session affinity is None")
    elif given is None or given.get("clientIP") is None:
        yield required(field, "when session affinity type is ClientIP")
    else:
        seconds = given["clientIP"].get("timeoutSeconds")
        path = f"{field}.clientIP.timeoutSeconds"
        if seconds is None:
            yield required(path, "when session affinity type is ClientIP")
        elif not 0 < seconds <= _LONGEST_AFFINITY:
            detail = f"must be greater than 0 and less than {_LONGEST_AFFINITY}"
            yield invalid(path, seconds, detail)


def _check_balancing(spec: Object) -> Iterator[Cause]:
    """What is told to a load balancer in front of the cluster."""
    balanced = spec.get("type") == "LoadBalancer"
    for name in _BALANCER_FIELDS:
        if spec.get(name) is not None and not balanced:
            yield forbidden(f"spec.{name}", _BALANCER_ONLY)
    if balanced and spec.get("allocateLoadBalancerNodePorts") is None:
        yield required("spec.allocateLoadBalancerNodePorts", "when `type` is 'LoadBalancer'")
    if spec.get("loadBalancerClass"):
        name = spec["loadBalancerClass"]
        yield from check_text(names.qualified_name, name, "spec.loadBalancerClass")
    ranges = spec.get("loadBalancerSourceRanges") or ()
    if ranges and not balanced:
        yield forbidden("spec.loadBalancerSourceRanges", _BALANCER_ONLY)
    for index, text in enumerate(ranges):
        yield from check_range(text.strip(), f"spec.loadBalancerSourceRanges[{index}]")


def _check_policies(spec: Object) -> Iterator[Cause]:
    """Which pods traffic goes to, from outside and from inside."""
    kind, policy = spec.get("type"), spec.get("externalTrafficPolicy")
    reached = kind in ("LoadBalancer", "NodePort") or bool(spec.get("externalIPs"))
    if policy is not None and policy not in _POLICIES:
        yield unsupported("spec.externalTrafficPolicy", policy, _POLICIES)
    elif policy is None and kind in ("LoadBalancer", "NodePort"):
        yield required("spec.externalTrafficPolicy")
    elif policy is not None and not reached:
        detail = "may only be set for externally-accessible services"
        yield invalid("spec.externalTrafficPolicy", policy, detail)
    port = spec.get("healthCheckNodePort", 0)
    if port and (kind != "LoadBalancer" or policy != "Local"):
        detail = (
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        )
        yield invalid("spec.healthCheckNodePort", port, detail)
    inside = spec.get("internalTrafficPolicy")
    if inside is None and kind != "ExternalName":
        yield required("spec.internalTrafficPolicy")
    elif inside is not None and inside not in _POLICIES:
        yield unsupported("spec.internalTrafficPolicy", inside, _POLICIES)
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        yield unsupported("spec.trafficDistribution", distribution, _DISTRIBUTIONS)


def _check_external_name(spec: Object) -> Iterator[Cause]:
    name = spec.get("externalName", "").removesuffix(".")
    if not name:
        yield required("spec.externalName")
    else:
        yield from check_text(names.subdomain, name, "spec.externalName")


def _check_class_update(spec: Object, before: Object) -> Iterator[Cause]:
    """What a load balancer knows stays for as long as the service has one."""
    balanced = spec.get("type") == before.get("type") == "LoadBalancer"
    name, earlier = spec.get("loadBalancerClass"), before.get("loadBalancerClass")
    if balanced and name != earlier:
        yield invalid("spec.loadBalancerClass", name, "may not change once set")
    port, given = spec.get("healthCheckNodePort"), before.get("healthCheckNodePort")
    if port and given and port != given:
        yield invalid("spec.healthCheckNodePort", port, IMMUTABLE)
