"""What the head of a request says, in the form in which `Request` holds it. Pure."""

import asyncio
import hashlib
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote

MAXIMUM_PARAMETERS = 256


def offered_subprotocols(headers: Iterable[str]) -> tuple[str, ...]:
    """The names in one or several Sec-WebSocket-Protocol headers (RFC 6455, section 11.3.4)."""
    return tuple(name for header in headers for part in header.split(",") if (name := part.strip()))


def joined_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Lower-case names; the values of one that comes several times are joined by commas."""
    headers: dict[str, str] = {}
    for raw_name, value in pairs:
        name = raw_name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def peer_subject(transport: asyncio.BaseTransport) -> tuple[tuple[str, str], ...]:
    """The subject of the client certificate that TLS verified; empty without one."""
    certificate = transport.get_extra_info("peercert") or {}
    return tuple(pair for names in certificate.get("subject", ()) for pair in names)


def peer_fingerprint(transport: asyncio.BaseTransport) -> str:
    """The SHA-256 of that certificate, in hexadecimal; empty without one."""
    connection = transport.get_extra_info("ssl_object")
    certificate = connection.getpeercert(binary_form=True) if connection is not None else None
    return hashlib.sha256(certificate).hexdigest() if certificate else ""


def target(url: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Path (percent-decoded) and parameters of a request's target; too many are none."""
    raw_path, _, raw_query = url.decode("latin-1").partition("?")
    if not raw_path.startswith("/"):
        raw_path = "/" + raw_path.partition("://")[2].partition("/")[2]
    path = unquote(raw_path) if "%" in raw_path else raw_path
    if not raw_query:
        return path, ()
    try:
        pairs = parse_qsl(raw_query, keep_blank_values=True, max_num_fields=MAXIMUM_PARAMETERS)
    except ValueError:
        return path, ()
    return path, tuple(pairs)
