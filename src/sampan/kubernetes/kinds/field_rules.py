"""The rules of single fields that kinds of many groups share: choices, names, addresses.

Each yields the causes for what is wrong, none when all is right. It must not know any kind.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import msgspec

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import (
    duplicate,
    invalid,
    required,
    too_long,
    unsupported,
)

PORT_RANGE = "must be between 1 and 65535, inclusive"
_LONGEST_DRIVER = 63
_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_RANGE = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_WILDCARD_FORM = r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_WILDCARD_MESSAGE = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
    "which must consist of lower case alphanumeric characters, '-' or '.' and end with an "
    "alphanumeric character (e.g. '*.example.com', regex used for validation is "
    f"'{_WILDCARD_FORM}')"
)
_PATH_FORM = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_path = re.compile(_PATH_FORM)

Check = Callable[[str], Iterable[str]]


def check_text(check: Check, value: str, field: str) -> Iterator[Cause]:
    """A text that must have a form of `machinery.names`."""
    for message in check(value):
        yield invalid(field, value, message)


def check_required_text(part: Object, key: str, field: str, check: Check) -> Iterator[Cause]:
    """A member that must be there and have a form; `field` is that of `part`."""
    value = part.get(key)
    if not value:
        yield required(f"{field}.{key}")
    else:
        yield from check_text(check, value, f"{field}.{key}")


def check_choice(part: Object, key: str, choices: Collection[str], field: str) -> Iterator[Cause]:
    """A member that is one of `choices`, where it is there at all; `field` is that of `part`."""
    if key in part and part[key] not in choices:
        yield unsupported(f"{field}.{key}" if field else key, part[key], choices)


def check_unique(values: Iterable[Any], field: Callable[[int], str]) -> Iterator[Cause]:
    """No value comes twice; `field` names that of an index."""
    seen: set[Any] = set()
    for index, value in enumerate(values):
        known = value if isinstance(value, str) else msgspec.json.encode(value, order="sorted")
        if known in seen:
            yield duplicate(field(index), value)
        seen.add(known)


def check_canonical_address(text: str, field: str) -> Iterator[Cause]:
    """An IPv4 or IPv6 address in its canonical form (IsValidIP of apimachinery)."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        yield invalid(field, text, _ADDRESS)
        return
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        yield invalid(field, text, "must not be an IPv4-mapped IPv6 address")
    elif str(address) != text:
        yield invalid(field, text, f'must be in canonical form ("{address}")')


def check_range(text: str, field: str) -> Iterator[Cause]:
    """An IPv4 or IPv6 range in any of its forms (IsValidCIDRForLegacyField)."""
    if network_of(text) is None:
        yield invalid(field, text, _RANGE)


def check_canonical_range(text: str, field: str) -> Iterator[Cause]:
    """An IPv4 or IPv6 range in its canonical form (IsValidCIDR of apimachinery)."""
    network = network_of(text)
    if network is None:
        yield invalid(field, text, _RANGE)
        return
    host, _, prefix = text.partition("/")
    if str(ipaddress.ip_address(host)) != str(network.network_address):
        yield invalid(field, text, "must not have bits set beyond the prefix length")
    elif f"{network.network_address}/{network.prefixlen}" != f"{host}/{prefix}":
        yield invalid(field, text, f'must be in canonical form ("{network}")')


def network_of(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The range that a text names, whatever bits are set beyond its prefix; None when none."""
    try:
        return ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_host(host: str, field: str) -> Iterator[Cause]:
    """A DNS name; the first label may be a wildcard."""
    if "*" not in host:
        yield from check_text(names.subdomain, host, field)
    elif not host.startswith("*.") or names.subdomain(host[2:]):
        yield invalid(field, host, _WILDCARD_MESSAGE)


def check_domain_path(text: str, field: str) -> Iterator[Cause]:
    """`domain/path` (IsDomainPrefixedPath): what names a controller or a signer."""
    domain, slash, path = text.partition("/")
    if not slash or not domain or not path:
        yield invalid(field, text, 'must be a domain-prefixed path (such as "acme.io/foo")')
        return
    yield from check_text(names.subdomain, domain, field)
    if not _path.fullmatch(path):
        yield invalid(field, path, f"Invalid path (regex used for validation is '{_PATH_FORM}')")


def check_group_version(text: str, field: str) -> Iterator[Cause]:
    """An apiVersion: `v1` or `group/v1`."""
    if text.count("/") > 1:
        yield invalid(field, text, f"unexpected GroupVersion string: {text}")
        return
    group, _, version = text.rpartition("/")
    if group:
        yield from check_text(names.subdomain, group, field)
    if not version:
        yield invalid(field, text, "version must be specified")
    else:
        yield from check_text(names.label_1035, version, field)


def check_driver_name(name: str, field: str) -> Iterator[Cause]:
    """The name of a CSI or DRA driver: at most 63 bytes of a DNS name of any case."""
    if not name:
        yield required(field)
        return
    if len(name.encode()) > _LONGEST_DRIVER:
        yield too_long(field, _LONGEST_DRIVER)
    yield from check_text(names.subdomain, name.lower(), field)
