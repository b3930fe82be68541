"""Defaults of containers, as Kubernetes 1.37 sets them (pkg/apis/core/v1 SetDefaults_*)."""

from sampan.kubernetes.kinds.kind import Object

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_DEFAULTS = {
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}


def default_container(container: Object, *, host_network: bool) -> None:
    """Fill one container, init container or ephemeral container."""
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = pull_policy(container.get("image", ""))
    container.setdefault("resources", {})
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if host_network and not port.get("hostPort") and "containerPort" in port:
            port["hostPort"] = port["containerPort"]
    for variable in container.get("env") or ():
        if "valueFrom" in variable:
            default_field_reference(variable["valueFrom"] or {})
    for name in PROBES:
        if name in container:
            _default_probe(container[name])
    for handler in (container.get("lifecycle") or {}).values():
        if isinstance(handler, dict):
            _default_handler(handler)


def default_field_reference(source: Object) -> None:
    """The downward API's `fieldRef` names fields of v1 objects; amounts are whole as they are."""
    if "fieldRef" in source:
        source["fieldRef"].setdefault("apiVersion", "v1")
    if "resourceFieldRef" in source:
        source["resourceFieldRef"].setdefault("divisor", "0")


def pull_policy(image: str) -> str:
    """Always for `latest` and for no tag, IfNotPresent for any other tag or a digest."""
    name, _, digest = image.partition("@")
    _, colon, tag = name.rpartition("/")[2].partition(":")
    if digest:
        return "IfNotPresent"
    return "IfNotPresent" if colon and tag != "latest" else "Always"


def _default_probe(probe: Object) -> None:
    _default_handler(probe)
    for name, value in _PROBE_DEFAULTS.items():
        if not probe.get(name):
            probe[name] = value


def _default_handler(handler: Object) -> None:
    if "httpGet" in handler:
        handler["httpGet"].setdefault("path", "/")
        handler["httpGet"].setdefault("scheme", "HTTP")
    if "grpc" in handler:
        handler["grpc"].setdefault("service", "")


def request_what_is_limited(container: Object) -> None:
    """A pod that limits a resource without requesting it requests the limit."""
    resources = container.get("resources") or {}
    limits = resources.get("limits")
    if limits:
        requests = resources.setdefault("requests", {})
        for name, quantity in limits.items():
            requests.setdefault(name, quantity)
