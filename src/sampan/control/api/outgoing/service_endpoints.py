"""Where a service's ready endpoints are, for calls that this server makes itself."""

from collections.abc import Iterator
from typing import Any

import msgspec

from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import ENDPOINT_SLICES, SERVICES
from sampan.kubernetes.machinery.selectors import parse


class ReadyEndpoint(msgspec.Struct, frozen=True):
    """`pod` is the name of the pod behind it, if there is one."""

    address: str
    port: int
    pod: str = ""


def service_port(service: Object, number: int) -> Object | None:
    """The port of a service by its number."""
    ports: list[Object] = (service.get("spec") or {}).get("ports") or []
    return next((it for it in ports if it["port"] == number), None)


def is_elsewhere(service: Object) -> bool:
    """Whether a service is a host's name outside the cluster, without endpoints."""
    return (service.get("spec") or {}).get("type") == "ExternalName"


def find_service(cache: WatchCache, namespace: str, name: str) -> Object | None:
    stored = cache.of(SERVICES).get(f"{namespace}/{name}")
    return None if stored is None else stored.decoded()


def slices_of(cache: WatchCache, namespace: str, name: str) -> list[Object]:
    """The EndpointSlices of a service."""
    selection = Selection(namespace, parse(f"kubernetes.io/service-name={name}"))
    return [stored.decoded() for stored in cache.of(ENDPOINT_SLICES).select(selection)]


def ready_endpoints(
    cache: WatchCache, namespace: str, name: str, port_name: str
) -> Iterator[ReadyEndpoint]:
    """Those that take requests at the port of that name ("" for the only one)."""
    for found in slices_of(cache, namespace, name):
        numbers = [
            it["port"]
            for it in found.get("ports") or ()
            if (it.get("name") or "") == port_name and it.get("port")
        ]
        if not numbers:
            continue
        for endpoint in found.get("endpoints") or ():
            ready = (endpoint.get("conditions") or {}).get("ready")
            if ready is not False and endpoint.get("addresses"):
                yield ReadyEndpoint(endpoint["addresses"][0], numbers[0], _pod(endpoint))


def _pod(endpoint: dict[str, Any]) -> str:
    reference = endpoint.get("targetRef") or {}
    return str(reference.get("name", "")) if reference.get("kind") == "Pod" else ""
