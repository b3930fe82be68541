"""Whether an APIService's server can be asked at all, told from Service and EndpointSlices.

Pure. The reasons and messages are kube-aggregator's (`controllers/status/remote`).
"""

from collections.abc import Sequence

import msgspec

from sampan.control.api.aggregation.api_services import ServiceReference
from sampan.control.api.outgoing.service_endpoints import is_elsewhere, service_port
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.machinery.conditions import ConditionStatus


class Availability(msgspec.Struct, frozen=True):
    """The condition `Available`."""

    status: ConditionStatus
    reason: str
    message: str


LOCAL = Availability("True", "Local", "Local APIServices are always available")
PASSED = Availability("True", "Passed", "all checks passed")


def failed(message: str) -> Availability:
    return Availability("False", "FailedDiscoveryCheck", message)


def problem(
    reference: ServiceReference, service: Object | None, slices: Sequence[Object]
) -> Availability | None:
    """What is missing; None when the server may be asked."""
    shown = f'service/{reference.name} in "{reference.namespace}"'
    if service is None:
        return Availability("False", "ServiceNotFound", f"{shown} is not present")
    if is_elsewhere(service):
        return None
    port = service_port(service, reference.port)
    if port is None:
        message = f"{shown} is not listening on port {reference.port}"
        return Availability("False", "ServicePortError", message)
    if not slices:
        message = f"cannot find endpointslices for {shown}"
        return Availability("False", "EndpointsNotFound", message)
    name = port.get("name") or ""
    if not any(_has_ready(it, name) for it in slices):
        message = f'endpointslices for {shown} have no addresses with port name "{name}"'
        return Availability("False", "MissingEndpoints", message)
    return None


def _has_ready(found: Object, port: str) -> bool:
    named = any((it.get("name") or "") == port for it in found.get("ports") or ())
    return named and any(
        (it.get("conditions") or {}).get("ready") is not False and it.get("addresses")
        for it in found.get("endpoints") or ()
    )
