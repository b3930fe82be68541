"""Endpoints: the addresses behind a service, in the form that EndpointSlices have replaced."""

import ipaddress
from collections.abc import Iterator

from sampan.kubernetes.kinds.columns import AGE, NAME, NONE, text
from sampan.kubernetes.kinds.core.pod_network_validation import check_address
from sampan.kubernetes.kinds.core.port_validation import PROTOCOLS, is_port
from sampan.kubernetes.kinds.field_rules import PORT_RANGE, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import ENDPOINTS
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import invalid, required, unsupported

_SHOWN = 3
_RESERVED = (
    ("is_unspecified", "may not be unspecified"),
    ("is_loopback", "may not be in the loopback range"),
    ("is_link_local", "may not be in the link-local range"),
)


def _default(endpoints: Object) -> None:
    for subset in endpoints.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    """pkg/apis/core/validation ValidateEndpoints."""
    for index, subset in enumerate(new.get("subsets") or ()):
        field = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            yield required(field, "must specify `addresses` or `notReadyAddresses`")
        for name in ("addresses", "notReadyAddresses"):
            for position, address in enumerate(subset.get(name) or ()):
                yield from _check_address(address, f"{field}.{name}[{position}]")
        ports = subset.get("ports") or ()
        for position, port in enumerate(ports):
            yield from _check_port(port, f"{field}.ports[{position}]", named=len(ports) > 1)


def _check_address(address: Object, field: str) -> Iterator[Cause]:
    given = address.get("ip", "")
    yield from check_address(given, f"{field}.ip")
    if address.get("hostname"):
        yield from check_text(names.label, address["hostname"], f"{field}.hostname")
    if address.get("nodeName"):
        yield from check_text(names.subdomain, address["nodeName"], f"{field}.nodeName")
    yield from check_reachable(given, f"{field}.ip")


def check_reachable(text: str, field: str) -> Iterator[Cause]:
    """An address that leads from one machine to another; no address at all passes."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return
    for name, detail in _RESERVED:
        if getattr(address, name):
            yield invalid(field, text, detail)


def _check_port(port: Object, field: str, *, named: bool) -> Iterator[Cause]:
    if port.get("name"):
        yield from check_text(names.label, port["name"], f"{field}.name")
    elif named:
        yield required(f"{field}.name")
    if not is_port(port.get("port", 0)):
        yield invalid(f"{field}.port", port.get("port", 0), PORT_RANGE)
    if port.get("protocol") not in PROTOCOLS:
        yield unsupported(f"{field}.protocol", port.get("protocol", ""), PROTOCOLS)
    if port.get("appProtocol"):
        yield from check_text(names.qualified_name, port["appProtocol"], f"{field}.appProtocol")


def _shown(endpoints: Object) -> str:
    """The first addresses with their ports, and how many more there are."""
    found = [
        _address(address.get("ip", ""), port.get("port"))
        for subset in endpoints.get("subsets") or ()
        for port in subset.get("ports") or [{}]
        for address in subset.get("addresses") or ()
    ]
    if not found:
        return NONE
    more = f" + {len(found) - _SHOWN} more..." if len(found) > _SHOWN else ""
    return ",".join(found[:_SHOWN]) + more


def _address(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


ENDPOINTS_KIND = make(
    ENDPOINTS,
    default=_default,
    rules=_rules,
    short_names=("ep",),
    deprecation="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    columns=(NAME, text("Endpoints", _shown, about="The addresses that are ready."), AGE),
)
