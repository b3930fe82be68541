"""TLS contexts for the servers and clients of a cluster: TLS 1.2 and up, HTTP/1.1.

Servers and clients trust the cluster's own authority alone, never the machine's, but where a
user names another.
"""

import base64
import ssl
from pathlib import Path

import msgspec


class KeyPairPaths(msgspec.Struct, frozen=True):
    """Where a certificate and its key lie, both PEM."""

    certificate: Path
    key: Path


def server_context(
    pair: KeyPairPaths, client_authority: Path | None, *, require_client: bool = False
) -> ssl.SSLContext:
    """A server's context; with `client_authority`, clients may show a certificate of it.

    `require_client` makes that a must. Raises OSError, ssl.SSLError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context)
    context.load_cert_chain(pair.certificate, pair.key)
    if client_authority is not None:
        context.load_verify_locations(client_authority)
        context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_OPTIONAL
    elif require_client:
        raise ValueError("clients can't be verified without an authority")
    return context


def client_context(authority: Path, pair: KeyPairPaths | None = None) -> ssl.SSLContext:
    """A client's context that trusts `authority`, checks names, and shows `pair` if given.

    Raises OSError, ssl.SSLError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _restrict(context)
    context.load_verify_locations(authority)
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


def bundle_context(bundle: str) -> ssl.SSLContext:
    """A client's context that trusts a `caBundle` (PEM in base64), or what the machine trusts
    where that is empty.

    Raises ValueError for a bundle that holds no certificates.
    """
    try:
        text = base64.b64decode(bundle).decode() if bundle else None
        context = ssl.create_default_context(cadata=text)
    except (ValueError, ssl.SSLError) as error:
        raise ValueError("unable to load root certificates: unable to parse caBundle") from error
    _restrict(context)
    return context


def _restrict(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
