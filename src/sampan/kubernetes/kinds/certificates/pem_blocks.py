"""Certificates and requests in PEM (RFC 7468), read as far as validation needs them."""

import base64
import binascii
from typing import NamedTuple

from cryptography import x509

from sampan.foundation.pki.signing_requests import InvalidRequest, verified

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"


class Unreadable(ValueError):
    """What was given is no certificate; the text says why."""


class Block(NamedTuple):
    """One block: what it is called, whether it has headers, and its content, None if unreadable."""

    label: str
    has_headers: bool
    content: bytes | None


def blocks(data: bytes) -> list[Block]:
    """The blocks of a text; what stands between them, or has no end, is passed over."""
    found: list[Block] = []
    label: bytes | None = None
    lines: list[bytes] = []
    for line in data.splitlines():
        bare = line.rstrip()
        if bare.startswith(_BEGIN) and bare.endswith(_DASHES):
            label, lines = bare[len(_BEGIN) : -len(_DASHES)], []
        elif label is not None and bare == _END + label + _DASHES:
            found.append(_read(label, lines))
            label = None
        elif label is not None:
            lines.append(bare)
    return found


def _read(label: bytes, lines: list[bytes]) -> Block:
    try:
        content = base64.b64decode(b"".join(lines), validate=True)
    except binascii.Error:
        content = None
    has_headers = any(b":" in line for line in lines)
    return Block(label.decode(errors="replace"), has_headers, content)


def certificate_of(block: Block) -> x509.Certificate:
    """Raises Unreadable."""
    if block.content is None:
        raise Unreadable("x509: malformed certificate")
    try:
        return x509.load_der_x509_certificate(block.content)
    except ValueError as error:
        raise Unreadable(f"x509: malformed certificate: {error}") from error


def request_of(data: bytes) -> x509.CertificateSigningRequest:
    """The request in PEM, its signature verified. Raises InvalidRequest."""
    found = blocks(data)
    if not found or found[0].label != "CERTIFICATE REQUEST" or found[0].content is None:
        raise InvalidRequest("PEM block type must be CERTIFICATE REQUEST")
    return verified(x509.load_der_x509_csr, found[0].content)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether the certificate may sign others."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return constraints.value.ca
