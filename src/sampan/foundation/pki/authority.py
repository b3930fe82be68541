"""A certificate authority: makes itself, and issues certificates for clients and servers.

Pure but for the keys' randomness: the time is an argument, nothing is read or written.
Forms follow RFC 5280; keys are elliptic (P-256), which cost far less to make and to use
than RSA keys of the same strength.
"""

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, Self

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Usage = Literal["client", "server", "both"]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_AUTHORITY_LIFETIME = timedelta(days=3650)
# A peer whose clock is a little behind must not find a new certificate not yet valid.
_CLOCK_SKEW = timedelta(minutes=5)
_USAGES = {
    "client": (ExtendedKeyUsageOID.CLIENT_AUTH,),
    "server": (ExtendedKeyUsageOID.SERVER_AUTH,),
    "both": (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH),
}


class InvalidKey(ValueError):
    """A key is not a private key on the curve P-256."""


class KeyPair(msgspec.Struct, frozen=True):
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


def generate_key() -> bytes:
    """A new P-256 private key, PEM (PKCS #8)."""
    return _private_pem(ec.generate_private_key(ec.SECP256R1()))


def load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Read a P-256 private key. Raises InvalidKey."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise InvalidKey("not a PEM private key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidKey("not a private key on the curve P-256")
    return key


class Authority:
    """Signs certificates under one name."""

    def __init__(self, certificate: bytes, key: bytes) -> None:
        """`certificate` and `key` are PEM. Raises ValueError when they are not a pair."""
        self.certificate = certificate
        self.key = key
        self._certificate = x509.load_pem_x509_certificate(certificate)
        self._key = load_key(key)
        if self._certificate.public_key() != self._key.public_key():
            raise InvalidKey("the key is not that of the authority's certificate")

    @classmethod
    def create(cls, common_name: str, now: datetime, *, key: bytes | None = None) -> Self:
        """A new authority. With the `key` of an older one, what that one issued stays valid."""
        key = generate_key() if key is None else key
        private = load_key(key)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        certificate = (
            _builder(name, name, private.public_key(), now, now + _AUTHORITY_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False
            )
            .sign(private, hashes.SHA256())
        )
        return cls(certificate.public_bytes(serialization.Encoding.PEM), key)

    @property
    def common_name(self) -> str:
        (attribute,) = self._certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(attribute.value)

    @property
    def subject(self) -> x509.Name:
        return self._certificate.subject

    @property
    def private_key(self) -> ec.EllipticCurvePrivateKey:
        return self._key

    @property
    def expires(self) -> datetime:
        return self._certificate.not_valid_after_utc

    def issue(
        self,
        common_name: str,
        *,
        organizations: Iterable[str] = (),
        dns_names: Iterable[str] = (),
        addresses: Iterable[Address] = (),
        usage: Usage,
        days: int = 365,
        now: datetime,
    ) -> KeyPair:
        """A new key and its certificate; it never outlives the authority."""
        private = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
            + [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        )
        until = min(now + timedelta(days=days), self.expires)
        builder = (
            _builder(subject, self._certificate.subject, private.public_key(), now, until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_USAGES[usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in dns_names]
        alternatives += [x509.IPAddress(address) for address in addresses]
        if alternatives:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(alternatives), critical=False
            )
        signed = builder.sign(self._key, hashes.SHA256())
        return KeyPair(signed.public_bytes(serialization.Encoding.PEM), _private_pem(private))

    def vouches_for(
        self, pair: KeyPair, *, until: datetime, alternatives: frozenset[str] = frozenset()
    ) -> bool:
        """Whether `pair` is this authority's, whole, valid `until` then, and for these names.

        `alternatives` are the DNS names and addresses that it must hold, no more and no fewer.
        """
        try:
            certificate = x509.load_pem_x509_certificate(pair.certificate)
            if load_key(pair.key).public_key() != certificate.public_key():
                return False
            certificate.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return certificate.not_valid_after_utc >= until and _names(certificate) == alternatives


def _names(certificate: x509.Certificate) -> frozenset[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(str(name.value) for name in extension.value)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(until)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
