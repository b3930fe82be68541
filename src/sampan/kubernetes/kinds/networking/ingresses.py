"""Ingress and IngressClass: how requests from outside reach services."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, NONE, part, text
from sampan.kubernetes.kinds.core.pod_network_validation import check_address
from sampan.kubernetes.kinds.core.port_validation import is_port
from sampan.kubernetes.kinds.field_rules import (
    PORT_RANGE,
    check_choice,
    check_domain_path,
    check_host,
    check_required_text,
    check_text,
    is_address,
)
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import INGRESS_CLASSES, INGRESSES
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import (
    forbidden,
    invalid,
    required,
    too_long,
    unsupported,
)

_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_FORBIDDEN_PARTS = ("//", "/./", "/../", "%2f", "%2F")
_FORBIDDEN_ENDS = ("/..", "/.")
_LONGEST_CONTROLLER = 250
_SCOPES = ("Cluster", "Namespace")
_NOT_A_NAME = "must be a DNS name, not an IP address"


def _ingress_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    chosen = spec.get("ingressClassName")
    if not spec.get("rules") and "defaultBackend" not in spec:
        detail = "either `defaultBackend` or `rules` must be specified"
        yield invalid("spec", spec.get("rules"), detail)
    if "defaultBackend" in spec:
        yield from _check_backend(spec["defaultBackend"], "spec.defaultBackend")
    for index, rule in enumerate(spec.get("rules") or ()):
        yield from _check_rule(rule, f"spec.rules[{index}]")
    for index, tls in enumerate(spec.get("tls") or ()):
        yield from _check_tls(tls, f"spec.tls[{index}]")
    if chosen is not None:
        yield from check_text(names.subdomain, chosen, "spec.ingressClassName")
    annotation = (new["metadata"].get("annotations") or {}).get(_CLASS_ANNOTATION)
    if old is None and None not in (annotation, chosen) and annotation != chosen:
        detail = "must match `ingressClassName` when both are specified"
        yield invalid(f"annotations.{_CLASS_ANNOTATION}", annotation, detail)
    for index, entry in enumerate(part(new, "status", "loadBalancer", "ingress") or ()):
        yield from _check_status(entry, f"status.loadBalancer.ingress[{index}]")


def _check_status(entry: Object, field: str) -> Iterator[Cause]:
    if entry.get("ip"):
        yield from check_address(entry["ip"], f"{field}.ip")
    if entry.get("hostname"):
        yield from check_text(names.subdomain, entry["hostname"], f"{field}.hostname")
        if is_address(entry["hostname"]):
            yield invalid(f"{field}.hostname", entry["hostname"], _NOT_A_NAME)


def _check_tls(tls: Object, field: str) -> Iterator[Cause]:
    for index, host in enumerate(tls.get("hosts") or ()):
        yield from check_host(host, f"{field}.hosts[{index}]")
    if tls.get("secretName"):
        yield from check_text(names.subdomain, tls["secretName"], f"{field}.secretName")


def _check_rule(rule: Object, field: str) -> Iterator[Cause]:
    host = rule.get("host", "")
    if host:
        if is_address(host):
            yield invalid(f"{field}.host", host, _NOT_A_NAME)
        yield from check_host(host, f"{field}.host")
    if "http" not in rule:
        return
    paths = rule["http"].get("paths") or []
    if not paths:
        yield required(f"{field}.http.paths")
    for index, path in enumerate(paths):
        yield from _check_path(path, f"{field}.http.paths[{index}]")


def _check_path(entry: Object, field: str) -> Iterator[Cause]:
    kind, path = entry.get("pathType"), entry.get("path", "")
    if kind is None:
        yield required(f"{field}.pathType", "pathType must be specified")
        return
    if kind not in _PATH_TYPES:
        yield unsupported(f"{field}.pathType", kind, _PATH_TYPES)
    elif not path.startswith("/") and (path or kind != "ImplementationSpecific"):
        yield invalid(f"{field}.path", path, "must be an absolute path")
    if kind in ("Exact", "Prefix"):
        for wrong in _FORBIDDEN_PARTS:
            if wrong in path:
                yield invalid(f"{field}.path", path, f"must not contain '{wrong}'")
        for wrong in _FORBIDDEN_ENDS:
            if path.endswith(wrong):
                yield invalid(f"{field}.path", path, f"cannot end with '{wrong}'")
    yield from _check_backend(entry.get("backend") or {}, f"{field}.backend")


def _check_backend(backend: Object, field: str) -> Iterator[Cause]:
    if "resource" in backend and "service" in backend:
        yield invalid(field, "", "cannot set both resource and service backends")
    elif "resource" in backend:
        yield from _check_reference(backend["resource"], f"{field}.resource")
    elif "service" in backend:
        yield from _check_service(backend["service"], field)
    else:
        yield invalid(field, "", "resource or service backend is required")


def _check_service(service: Object, field: str) -> Iterator[Cause]:
    yield from check_required_text(service, "name", f"{field}.service", names.label)
    port = service.get("port") or {}
    name, number = port.get("name"), port.get("number")
    if name and number:
        yield invalid(field, "", "cannot set both port name & port number")
    elif name:
        yield from check_text(names.port_name, name, f"{field}.service.port.name")
    elif not number:
        yield required(field, "port name or number is required")
    elif not is_port(number):
        yield invalid(f"{field}.service.port.number", number, PORT_RANGE)


def _check_reference(reference: Object, field: str) -> Iterator[Cause]:
    if "apiGroup" in reference:
        yield from check_text(names.subdomain, reference["apiGroup"], f"{field}.apiGroup")
    for key in ("kind", "name"):
        yield from check_required_text(reference, key, field, names.path_segment)


def _default_class(ingress_class: Object) -> None:
    parameters = part(ingress_class, "spec", "parameters")
    if parameters is not None and not parameters.get("scope"):
        parameters["scope"] = "Cluster"


def _class_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    controller = spec.get("controller", "")
    if not controller:
        yield required("spec.controller")
    else:
        if len(controller) > _LONGEST_CONTROLLER:
            yield too_long("spec.controller", _LONGEST_CONTROLLER)
        yield from check_domain_path(controller, "spec.controller")
    if "parameters" in spec:
        yield from _check_parameters(spec["parameters"], "spec.parameters")
    if old is not None:
        before = part(old, "spec", "controller") or ""
        yield from check_immutable(controller, before, "spec.controller")


def _check_parameters(parameters: Object, field: str) -> Iterator[Cause]:
    yield from _check_reference(parameters, field)
    yield from check_choice(parameters, "scope", _SCOPES, field)
    namespace = parameters.get("namespace")
    if parameters.get("scope") == "Namespace":
        if namespace is None:
            yield required(f"{field}.namespace", "`parameters.scope` is set to 'Namespace'")
        else:
            yield from check_text(names.label, namespace, f"{field}.namespace")
    elif parameters.get("scope") == "Cluster" and namespace is not None:
        yield forbidden(f"{field}.namespace", "`parameters.scope` is set to 'Cluster'")


def _prepare_class(new: Object, old: Object | None) -> None:
    strategies.count_generation(new, old, "spec")


def _prepare_ingress(new: Object, old: Object | None) -> None:
    strategies.keep_status_count_generation(new, old)
    if old is None:
        new["status"] = {"loadBalancer": {}}


def _hosts(ingress: Object) -> str:
    hosts = [it["host"] for it in part(ingress, "spec", "rules") or () if it.get("host")]
    if not hosts:
        return "*"
    more = f" + {len(hosts) - 3} more..." if len(hosts) > 3 else ""
    return ",".join(hosts[:3]) + more


def _addresses(ingress: Object) -> str:
    given = part(ingress, "status", "loadBalancer", "ingress") or ()
    return ",".join(sorted({it.get("ip") or it.get("hostname") or "" for it in given} - {""}))


def _parameters(ingress_class: Object) -> str:
    parameters = part(ingress_class, "spec", "parameters")
    if parameters is None:
        return NONE
    group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") else ""
    return f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"


INGRESS = make(
    INGRESSES,
    rules=_ingress_rules,
    prepare=_prepare_ingress,
    status=True,
    short_names=("ing",),
    columns=(
        NAME,
        text(
            "Class",
            lambda obj: part(obj, "spec", "ingressClassName") or NONE,
            about="The name of the IngressClass resource.",
        ),
        text("Hosts", _hosts, about="Hosts that incoming requests are matched against."),
        text("Address", _addresses, about="Addresses at which the ingress can be reached."),
        text(
            "Ports",
            lambda obj: "80, 443" if part(obj, "spec", "tls") else "80",
            about="Ports of TLS configurations that open.",
        ),
        AGE,
    ),
)
INGRESS_CLASS = make(
    INGRESS_CLASSES,
    default=_default_class,
    rules=_class_rules,
    prepare=_prepare_class,
    columns=(
        NAME,
        text(
            "Controller",
            lambda obj: part(obj, "spec", "controller") or "",
            about="The controller that is responsible for handling this class.",
        ),
        text("Parameters", _parameters, about="A reference to further parameters."),
        AGE,
    ),
)
