"""The rules of services (pkg/apis/core/validation ValidateService), in Kubernetes' words."""

import ipaddress
from collections.abc import Iterator

from sampan.kubernetes.kinds.core.pod_network_validation import check_address
from sampan.kubernetes.kinds.core.port_validation import (
    PROTOCOLS,
    check_port_reference,
    is_port,
)
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_labels
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import duplicate, forbidden, invalid, required, unsupported

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITIES = ("ClientIP", "None")
_POLICIES = ("Cluster", "Local")
_PORT_RANGE = "must be between 1 and 65535, inclusive"


def service_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    kind = spec.get("type", "")
    for name, choices in (
        ("type", _TYPES),
        ("sessionAffinity", _AFFINITIES),
        ("internalTrafficPolicy", _POLICIES),
        ("externalTrafficPolicy", _POLICIES),
    ):
        if name in spec and spec[name] not in choices:
            yield unsupported(f"spec.{name}", spec[name], choices)
    yield from check_labels(spec.get("selector"), "spec.selector")
    yield from _check_ports(spec)
    yield from _check_addresses(spec)
    if kind == "ExternalName":
        yield from _check_external_name(spec)
    if old is not None:
        yield from _check_update(spec, old.get("spec") or {})


def _check_ports(spec: Object) -> Iterator[Cause]:
    ports = spec.get("ports") or []
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    seen_names: set[str] = set()
    seen_ports: set[tuple[object, object]] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        yield from _check_port(port, path, spec, needs_name=len(ports) > 1)
        name, identity = port.get("name", ""), (port.get("port"), port.get("protocol"))
        if name and name in seen_names:
            yield duplicate(f"{path}.name", name)
        if identity in seen_ports:
            yield duplicate(path, {"protocol": identity[1], "port": identity[0]})
        seen_names.add(name)
        seen_ports.add(identity)


def _check_port(port: Object, path: str, spec: Object, *, needs_name: bool) -> Iterator[Cause]:
    name = port.get("name", "")
    if not name and needs_name:
        yield required(f"{path}.name")
    if name:
        for message in names.label(name):
            yield invalid(f"{path}.name", name, message)
    if "port" in port and not is_port(port["port"]):
        yield invalid(f"{path}.port", port["port"], _PORT_RANGE)
    if port.get("protocol") not in PROTOCOLS:
        yield unsupported(f"{path}.protocol", port.get("protocol", ""), PROTOCOLS)
    if "targetPort" in port:
        yield from check_port_reference(port["targetPort"], f"{path}.targetPort")
    if port.get("nodePort") and spec.get("type") in ("ClusterIP", "ExternalName"):
        detail = f"may not be used when `type` is '{spec['type']}'"
        yield forbidden(f"{path}.nodePort", detail)


def _check_addresses(spec: Object) -> Iterator[Cause]:
    addresses = spec.get("clusterIPs") or []
    if addresses and addresses[0] != spec.get("clusterIP"):
        yield invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`")
    for index, address in enumerate(addresses):
        if address not in ("None", ""):
            yield from check_address(address, f"spec.clusterIPs[{index}]")
    if "None" in addresses and len(addresses) > 1:
        detail = "'None' must be the first and only value"
        yield invalid("spec.clusterIPs[0]", addresses, detail)
    if addresses and spec.get("type") == "ExternalName":
        yield forbidden("spec.clusterIPs", "may not be set when `type` is 'ExternalName'")
    if "None" in addresses and spec.get("type") in ("NodePort", "LoadBalancer"):
        detail = f"may not be set to 'None' for {spec['type']} services"
        yield invalid("spec.clusterIPs[0]", "None", detail)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        yield from check_address(address, f"spec.externalIPs[{index}]")
        if _is_local(address):
            detail = "may not be in the loopback or link-local range"
            yield invalid(f"spec.externalIPs[{index}]", address, detail)


def _is_local(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_loopback or address.is_link_local or address.is_unspecified


def _check_external_name(spec: Object) -> Iterator[Cause]:
    name = spec.get("externalName", "").removesuffix(".")
    if not name:
        yield required("spec.externalName")
    else:
        for message in names.subdomain(name):
            yield invalid("spec.externalName", name, message)


def _check_update(new: Object, old: Object) -> Iterator[Cause]:
    if "ExternalName" in (new.get("type"), old.get("type")):
        return
    before, after = old.get("clusterIPs") or [], new.get("clusterIPs") or []
    if before and before[:1] != after[:1]:
        yield invalid("spec.clusterIPs[0]", after, "may not change once set")
