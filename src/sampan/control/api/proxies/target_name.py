"""The names that proxies are asked by: `NAME`, `NAME:PORT`, `SCHEME:NAME:PORT`. Pure.

The rules are those of k8s.io/apimachinery `util/net.SplitSchemeNamePort`; and which addresses a
proxy may be pointed at, those of `util/proxy.IsProxyableIP`.
"""

from ipaddress import ip_address
from typing import Literal, cast

import msgspec

Scheme = Literal["", "http", "https"]


class TargetName(msgspec.Struct, frozen=True):
    """`port` is a number or a port's name, as it was given."""

    name: str
    scheme: Scheme = ""
    port: str = ""


def target_name(text: str) -> TargetName | None:
    """None for what is no such name."""
    parts = text.split(":")
    match parts:
        case [name]:
            found = TargetName(name)
        case [name, port]:
            found = TargetName(name, port=port)
        case [scheme, name, port] if scheme in ("", "http", "https"):
            found = TargetName(name, cast(Scheme, scheme), port)
        case _:
            return None
    return found if found.name else None


def is_proxyable(address: str) -> bool:
    """Whether an address may belong to a pod or node: not to this machine alone, nor to its
    link, where clouds answer with credentials."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return not (
        parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified or parsed.is_multicast
    )


def remainder(path: str) -> str:
    """What follows `/proxy` in the path of a request: the path that is asked for there."""
    is_namespaced = path.startswith("/api/v1/namespaces/")
    fixed = 8 if is_namespaced else 6
    parts = path.split("/", fixed)
    return f"/{parts[fixed]}" if len(parts) > fixed else ""


def port_number(text: str) -> int | None:
    """A port's number; None for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        return None
    number = int(text)
    return number if 0 < number < 65536 else None
