"""The columns of `kubectl get services`."""

from sampan.kubernetes.kinds.columns import AGE, NAME, NONE, label_pairs, part, text
from sampan.kubernetes.kinds.kind import Object


def _cluster_address(service: Object) -> str:
    addresses = part(service, "spec", "clusterIPs") or ()
    return (addresses[0] if addresses else part(service, "spec", "clusterIP")) or NONE


def _external_address(service: Object) -> str:
    spec = service.get("spec") or {}
    kind = spec.get("type", "ClusterIP")
    fixed = list(spec.get("externalIPs") or ())
    if kind == "ExternalName":
        return spec.get("externalName") or ""
    if kind != "LoadBalancer":
        return ",".join(fixed) or NONE
    given = part(service, "status", "loadBalancer", "ingress") or ()
    shown = [it.get("ip") or it.get("hostname") or "" for it in given] + fixed
    return ",".join(shown) or "<pending>"


def _ports(service: Object) -> str:
    return ",".join(_port(port) for port in part(service, "spec", "ports") or ()) or NONE


def _port(port: Object) -> str:
    outside = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{outside}/{port.get('protocol', 'TCP')}"


COLUMNS = (
    NAME,
    text(
        "Type",
        lambda service: part(service, "spec", "type") or "ClusterIP",
        about="How the service is exposed.",
    ),
    text("Cluster-IP", _cluster_address, about="The address of the service inside the cluster."),
    text("External-IP", _external_address, about="Addresses outside of the cluster."),
    text("Port(s)", _ports, about="The ports of the service."),
    AGE,
    text(
        "Selector",
        lambda service: label_pairs(part(service, "spec", "selector")),
        1,
        "The labels of the pods behind the service.",
    ),
)
