"""Certificates for keys that others keep: requests of PKCS #10 (RFC 2986) and what is signed.

The usages have the names of Kubernetes' `certificates.k8s.io`. Whether a request should be
granted at all is decided elsewhere.
"""

import base64
import binascii
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from sampan.foundation.pki.authority import Authority

_CLOCK_SKEW = timedelta(minutes=5)
_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_EXTENDED_USAGES = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec end system": ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec tunnel": ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec user": ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft sgc": ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape sgc": ObjectIdentifier("2.16.840.1.113730.4.1"),
}


USAGES = (*_KEY_USAGES, *_EXTENDED_USAGES)
"""Every usage that a certificate may be asked for."""
Load = Callable[[bytes], x509.CertificateSigningRequest]


class InvalidRequest(ValueError):
    """Not a request for a certificate, or not signed with the key that it shows."""


class Request(msgspec.Struct, frozen=True):
    """What a request asks for."""

    common_name: str
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


def read(pem: bytes) -> Request:
    """Raises InvalidRequest."""
    request = verified(x509.load_pem_x509_csr, pem)
    names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    organizations = request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    alternatives = _alternatives(request) or x509.SubjectAlternativeName([])
    return Request(
        common_name=str(names[-1].value) if names else "",
        organizations=tuple(str(each.value) for each in organizations),
        dns_names=tuple(alternatives.get_values_for_type(x509.DNSName)),
        addresses=tuple(map(str, alternatives.get_values_for_type(x509.IPAddress))),
        uris=tuple(alternatives.get_values_for_type(x509.UniformResourceIdentifier)),
        emails=tuple(alternatives.get_values_for_type(x509.RFC822Name)),
    )


def requested(encoded: str) -> Request:
    """What a request asks for that comes as PEM in base64. Raises InvalidRequest."""
    return read(decoded(encoded))


def decoded(encoded: str) -> bytes:
    """The PEM of a request that comes in base64. Raises InvalidRequest."""
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise InvalidRequest("not in base64") from error


def sign(
    authority: Authority, pem: bytes, *, usages: Collection[str], lifetime: timedelta, now: datetime
) -> bytes:
    """The certificate (PEM) that a request asks for: its names, and `usages` alone.

    It never outlives the authority, and is never an authority itself. Raises InvalidRequest.
    """
    request = verified(x509.load_pem_x509_csr, pem)
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(authority.subject)
        .public_key(request.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(min(now + lifetime, authority.expires))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.private_key.public_key()),
            critical=False,
        )
    )
    for extension, critical in _usage_extensions(usages):
        builder = builder.add_extension(extension, critical=critical)
    alternatives = _alternatives(request)
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=not list(request.subject))
    signed = builder.sign(authority.private_key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def expiration_of(pem: bytes) -> datetime:
    """When the first certificate of a chain (PEM) ends. Raises ValueError."""
    return x509.load_pem_x509_certificates(pem)[0].not_valid_after_utc


def verified(load: Load, content: bytes) -> x509.CertificateSigningRequest:
    """The request that `load` reads, its signature verified. Raises InvalidRequest."""
    try:
        request = load(content)
        sound = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidRequest("not a certificate request") from error
    if not sound:
        raise InvalidRequest("the request is not signed with its own key")
    return request


def _alternatives(request: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName | None:
    try:
        found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return None
    except ValueError as error:
        raise InvalidRequest("the request's extensions can't be read") from error
    return found.value


def _usage_extensions(usages: Collection[str]) -> list[tuple[x509.ExtensionType, bool]]:
    flags = dict.fromkeys(set(_KEY_USAGES.values()), False)
    flags |= {_KEY_USAGES[usage]: True for usage in usages if usage in _KEY_USAGES}
    # The last two qualify a key agreement and mean nothing without one (RFC 5280, 4.2.1.3).
    if not flags["key_agreement"]:
        flags["encipher_only"] = flags["decipher_only"] = False
    found: list[tuple[x509.ExtensionType, bool]] = []
    if any(flags.values()):
        found.append((x509.KeyUsage(**flags), True))
    extended = dict.fromkeys(_EXTENDED_USAGES[it] for it in usages if it in _EXTENDED_USAGES)
    if extended:
        found.append((x509.ExtendedKeyUsage(extended), False))
    return found
