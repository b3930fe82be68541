"""The rules of a pod's place in the network: host aliases, DNS, the node's own namespaces."""

import ipaddress
from collections.abc import Iterator

from sampan.kubernetes.kinds.core.port_validation import check_host_network_ports
from sampan.kubernetes.kinds.field_rules import check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import forbidden, invalid, required

_MOST_SERVERS = 3
_MOST_SEARCHES = 32
_LONGEST_SEARCHES = 2048
_LONGEST_OVERRIDE = 64


def check_pod_network(spec: Object, field: str) -> Iterator[Cause]:
    for index, alias in enumerate(spec.get("hostAliases") or ()):
        path = f"{field}.hostAliases[{index}]"
        yield from check_address(alias.get("ip", ""), f"{path}.ip")
        for name in alias.get("hostnames") or ():
            yield from check_text(names.subdomain, name, f"{path}.hostnames")
    if spec.get("hostNetwork"):
        for name in ("initContainers", "containers"):
            yield from check_host_network_ports(spec.get(name) or (), f"{field}.{name}")
    if "dnsConfig" in spec or spec.get("dnsPolicy") == "None":
        yield from _check_names(spec, f"{field}.dnsConfig")
    if "hostnameOverride" in spec:
        yield from _check_override(spec, field)
    yield from _check_namespaces(spec, field)


def _check_names(spec: Object, field: str) -> Iterator[Cause]:
    """How the pod resolves names."""
    given = spec.get("dnsConfig") or {}
    servers = given.get("nameservers") or []
    if spec.get("dnsPolicy") == "None" and not servers:
        detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        yield required(f"{field}.nameservers", detail)
    if len(servers) > _MOST_SERVERS:
        detail = f"must not have more than {_MOST_SERVERS} nameservers"
        yield invalid(f"{field}.nameservers", servers, detail)
    for index, server in enumerate(servers):
        yield from check_address(server, f"{field}.nameservers[{index}]")
    yield from _check_searches(given.get("searches") or [], f"{field}.searches")
    for index, option in enumerate(given.get("options") or ()):
        if not option.get("name"):
            yield required(f"{field}.options[{index}]", "must not be empty")


def _check_searches(searches: list[str], field: str) -> Iterator[Cause]:
    if len(searches) > _MOST_SEARCHES:
        detail = f"must not have more than {_MOST_SEARCHES} search paths"
        yield invalid(field, searches, detail)
    if len(" ".join(searches)) > _LONGEST_SEARCHES:
        detail = (
            f"must not have more than {_LONGEST_SEARCHES} characters (including spaces) in the "
            "search list"
        )
        yield invalid(field, searches, detail)
    for index, search in enumerate(searches):
        if search == ".":
            continue
        # Names of services may hold underscores.
        for message in names.subdomain(search.removesuffix(".").replace("_", "x")):
            yield invalid(f"{field}[{index}]", search, message)


def _check_override(spec: Object, field: str) -> Iterator[Cause]:
    name = spec["hostnameOverride"]
    for other, wrong in (
        ("setHostnameAsFQDN", bool(spec.get("setHostnameAsFQDN"))),
        ("hostNetwork", bool(spec.get("hostNetwork"))),
    ):
        if wrong:
            detail = f"cannot be set when `{other}` is true"
            yield forbidden(f"{field}.hostnameOverride", detail)
    if len(name) > _LONGEST_OVERRIDE:
        detail = f"must be no more than {_LONGEST_OVERRIDE} characters"
        yield invalid(f"{field}.hostnameOverride", name, detail)
    yield from check_text(names.subdomain, name, f"{field}.hostnameOverride")


def _check_namespaces(spec: Object, field: str) -> Iterator[Cause]:
    """What a pod shares with its node, and its containers with one another."""
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        detail = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield invalid(f"{field}.shareProcessNamespace", True, detail)
    if spec.get("hostUsers") is False:
        for name in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(name):
                yield forbidden(f"{field}.{name}", "when `hostUsers` is false")


def check_address(text: str, field: str) -> Iterator[Cause]:
    """An IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        yield invalid(field, text, detail)
