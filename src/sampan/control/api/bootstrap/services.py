"""The Services of the API and of the cluster's DNS, the range of their addresses, and how others
are told of the API's own certificates."""

from collections.abc import Iterator

from sampan.control.api.bootstrap.standing import Renewal, Standing, named
from sampan.control.api.settings import ApiSettings
from sampan.foundation.pki.subjects import FRONT_PROXY_CLIENT
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    PRIORITY_CLASSES,
    SERVICE_CIDRS,
    SERVICES,
)
from sampan.kubernetes.kinds.scheduling import SYSTEM_CLASSES

_FRONT_PROXY_AUTHORITY = "requestheader-client-ca-file"
_FRONT_PROXY_HEADERS = {
    "requestheader-allowed-names": f'["{FRONT_PROXY_CLIENT}"]',
    "requestheader-username-headers": '["X-Remote-User"]',
    "requestheader-uid-headers": '["X-Remote-Uid"]',
    "requestheader-group-headers": '["X-Remote-Group"]',
    "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
}
_CLIENT_AUTHORITY = "client-ca-file"


def standing_services(settings: ApiSettings) -> Iterator[Standing]:
    yield Standing(SERVICES, _api_service(settings))
    yield Standing(ENDPOINT_SLICES, _api_slice(settings))
    yield Standing(ENDPOINTS, _api_endpoints(settings))
    yield Standing(SERVICES, _dns_service(settings))


def standing_priority_classes() -> Iterator[Standing]:
    for name, (value, about) in SYSTEM_CLASSES.items():
        tree = named(PRIORITY_CLASSES, name) | {"value": value, "description": about}
        yield Standing(PRIORITY_CLASSES, tree)


def standing_service_range(settings: ApiSettings, now: str) -> Standing:
    """`now` is when the range became ready, should it be new."""
    tree = named(SERVICE_CIDRS, "kubernetes")
    tree["spec"] = {"cidrs": [str(settings.service_range)]}
    ready = {
        "type": "Ready",
        "status": "True",
        "lastTransitionTime": now,
        "reason": "",
        "message": "Kubernetes default Service CIDR is ready",
    }
    return Standing(SERVICE_CIDRS, tree, status={"conditions": [ready]})


def standing_authentication(settings: ApiSettings) -> Iterator[Standing]:
    """How API servers of others know this one's clients, and this one when it passes requests
    on: only where there is an authority."""
    data: dict[str, str] = {}
    if settings.client_authority:
        data[_CLIENT_AUTHORITY] = settings.client_authority
    if settings.front_proxy_authority:
        data |= {_FRONT_PROXY_AUTHORITY: settings.front_proxy_authority, **_FRONT_PROXY_HEADERS}
    if data:
        tree = named(CONFIG_MAPS, "extension-apiserver-authentication", "kube-system")
        tree["data"] = data
        yield Standing(CONFIG_MAPS, tree, _with_data(data))


def _with_data(wanted: dict[str, str]) -> Renewal:
    def renew(current: Object) -> Object | None:
        data = current.get("data") or {}
        changed = {**data, **wanted}
        return None if changed == data else {**current, "data": changed}

    return renew


def _api_service(settings: ApiSettings) -> Object:
    tree = named(SERVICES, "kubernetes", "default")
    tree["metadata"]["labels"] = {"component": "apiserver", "provider": "kubernetes"}
    tree["spec"] = {
        "clusterIP": str(settings.kubernetes_service_address),
        "ports": [{"name": "https", "port": 443, "targetPort": settings.port}],
    }
    return tree


def _api_slice(settings: ApiSettings) -> Object:
    tree = named(ENDPOINT_SLICES, "kubernetes", "default")
    tree["metadata"]["labels"] = {"kubernetes.io/service-name": "kubernetes"}
    tree["addressType"] = "IPv4"
    address = str(settings.advertised_address)
    tree["endpoints"] = [{"addresses": [address], "conditions": {"ready": True}}]
    tree["ports"] = [{"name": "https", "port": settings.port, "protocol": "TCP"}]
    return tree


def _api_endpoints(settings: ApiSettings) -> Object:
    """The older form, which no slices are to be made of."""
    tree = named(ENDPOINTS, "kubernetes", "default")
    tree["metadata"]["labels"] = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    port = {"name": "https", "port": settings.port, "protocol": "TCP"}
    tree["subsets"] = [{"addresses": [{"ip": str(settings.advertised_address)}], "ports": [port]}]
    return tree


def _dns_service(settings: ApiSettings) -> Object:
    tree = named(SERVICES, "kube-dns", "kube-system")
    tree["metadata"]["labels"] = {"k8s-app": "kube-dns"}
    tree["spec"] = {
        "clusterIP": str(settings.dns_service_address),
        "ports": [
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        ],
    }
    return tree
