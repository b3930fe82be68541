"""The kind of the group `discovery.k8s.io`: EndpointSlice."""

import ipaddress
from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, text
from sampan.kubernetes.kinds.core.port_validation import PROTOCOLS
from sampan.kubernetes.kinds.field_rules import (
    Check,
    check_required_text,
    check_text,
    check_unique,
)
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import ENDPOINT_SLICES
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import (
    duplicate,
    invalid,
    required,
    too_many,
    unsupported,
)

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_MAXIMUM_ENDPOINTS = 1000
_MAXIMUM_ADDRESSES = 100
_MAXIMUM_PORTS = 20_000
_MAXIMUM_HINTS = 8
_SHOWN = 3
_LINK_LOCAL_MULTICAST = (
    ipaddress.ip_network("224.0.0.0/24"),
    ipaddress.ip_network("ff02::/10", strict=False),
)


def _default(endpoint_slice: Object) -> None:
    for port in endpoint_slice.get("ports") or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def _prepare(new: Object, old: Object | None) -> None:
    strategies.count_generation(new, old, "endpoints", "ports", "addressType")


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    kind = new.get("addressType", "")
    if kind and kind not in _ADDRESS_TYPES:
        yield unsupported("addressType", kind, _ADDRESS_TYPES)
    endpoints, ports = new.get("endpoints") or [], new.get("ports") or []
    for field, given, maximum in (
        ("endpoints", endpoints, _MAXIMUM_ENDPOINTS),
        ("ports", ports, _MAXIMUM_PORTS),
    ):
        if len(given) > maximum:
            yield too_many(field, len(given), maximum)
    for index, endpoint in enumerate(endpoints[:_MAXIMUM_ENDPOINTS]):
        yield from _check_addresses(endpoint, kind, f"endpoints[{index}].addresses")
        yield from _check_endpoint(endpoint, f"endpoints[{index}]")
    yield from _check_ports(ports)
    if old is not None:
        yield from check_immutable(kind, old.get("addressType"), "addressType")


def _check_addresses(endpoint: Object, kind: str, field: str) -> Iterator[Cause]:
    addresses = endpoint.get("addresses") or []
    if not addresses:
        yield required(field, "must contain at least 1 endpoint address")
    if len(addresses) > _MAXIMUM_ADDRESSES:
        yield too_many(field, len(addresses), _MAXIMUM_ADDRESSES)
        return
    for index, address in enumerate(addresses):
        for message in _address_messages(address, kind):
            yield invalid(f"{field}[{index}]", address, message)


def _check_endpoint(endpoint: Object, field: str) -> Iterator[Cause]:
    if endpoint.get("hostname"):
        yield from check_text(names.label, endpoint["hostname"], f"{field}.hostname")
    if endpoint.get("nodeName"):
        yield from check_text(names.subdomain, endpoint["nodeName"], f"{field}.nodeName")
    hints = endpoint.get("hints") or {}
    for key, check in (("forZones", names.label_value), ("forNodes", names.subdomain)):
        yield from _check_hints(hints.get(key) or [], check, f"{field}.hints.{key}")


def _check_hints(hints: list[Object], check: Check, field: str) -> Iterator[Cause]:
    if len(hints) > _MAXIMUM_HINTS:
        yield too_many(field, len(hints), _MAXIMUM_HINTS)
        return
    given = [hint.get("name", "") for hint in hints]
    yield from check_unique(given, lambda index: f"{field}[{index}].name")
    for index, hint in enumerate(hints):
        yield from check_required_text(hint, "name", f"{field}[{index}]", check)


def _address_messages(given: str, kind: str) -> tuple[str, ...]:
    if kind == "FQDN":
        return names.subdomain(given)
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return ("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",)
    refusals = (
        (
            kind in ("IPv4", "IPv6") and address.version != int(kind[-1]),
            f"must be a valid {kind} address",
        ),
        (address.is_unspecified, f"may not be unspecified ({given})"),
        (address.is_loopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (
            address.is_link_local,
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        ),
        (
            any(address in network for network in _LINK_LOCAL_MULTICAST),
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ),
    )
    return tuple(message for refused, message in refusals if refused)


def _check_ports(ports: list[Object]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        name = port.get("name", "")
        if name in seen:
            yield duplicate(f"ports[{index}].name", name)
        seen.add(name)
        if name:
            yield from check_text(names.label, name, f"ports[{index}].name")
        if port.get("protocol") not in PROTOCOLS:
            yield unsupported(f"ports[{index}].protocol", port.get("protocol", ""), PROTOCOLS)
        if port.get("appProtocol"):
            application = port["appProtocol"]
            yield from check_text(names.qualified_name, application, f"ports[{index}].appProtocol")


def _shortened(values: list[str]) -> str:
    more = len(values) - _SHOWN
    shown = ",".join(values[:_SHOWN])
    return f"{shown} + {more} more..." if more > 0 else shown or "<unset>"


def _ports(endpoint_slice: Object) -> str:
    ports = endpoint_slice.get("ports") or ()
    return _shortened([str(port.get("port", "*")) for port in ports])


def _endpoints(endpoint_slice: Object) -> str:
    endpoints = endpoint_slice.get("endpoints") or ()
    return _shortened([given for it in endpoints for given in it.get("addresses") or ()])


ENDPOINT_SLICE = make(
    ENDPOINT_SLICES,
    default=_default,
    prepare=_prepare,
    rules=_rules,
    columns=(
        NAME,
        text("AddressType", lambda obj: obj.get("addressType", ""), about="IPv4, IPv6 or FQDN."),
        text("Ports", _ports, about="The ports of all endpoints."),
        text("Endpoints", _endpoints, about="The addresses of the endpoints."),
        AGE,
    ),
)
