"""A new private key and a request of PKCS #10 (RFC 2986) that says nothing but that it is held.

Whoever signs takes the subject and all else from where it trusts (KEP-4317).
"""

from collections.abc import Callable

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_PUBLIC_EXPONENT = 65537

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
# What makes a key of each type, and the hash that it signs with; Ed25519 has its own.
_TYPES: dict[str, tuple[Callable[[], PrivateKey], hashes.HashAlgorithm | None]] = {
    "RSA3072": (lambda: rsa.generate_private_key(_PUBLIC_EXPONENT, 3072), hashes.SHA256()),
    "RSA4096": (lambda: rsa.generate_private_key(_PUBLIC_EXPONENT, 4096), hashes.SHA256()),
    "ECDSAP256": (lambda: ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()),
    "ECDSAP384": (lambda: ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()),
    "ECDSAP521": (lambda: ec.generate_private_key(ec.SECP521R1()), hashes.SHA512()),
    "ED25519": (ed25519.Ed25519PrivateKey.generate, None),
}
KEY_TYPES = tuple(_TYPES)


class KeyAndRequest(msgspec.Struct, frozen=True):
    """`key` is PKCS #8 in PEM, `request` the request in DER."""

    key: bytes
    request: bytes


def make(key_type: str) -> KeyAndRequest:
    """A key of one of KEY_TYPES and its request. Long keys take a second: call it in a thread.

    Raises KeyError for another type.
    """
    generate, algorithm = _TYPES[key_type]
    key = generate()
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.sign(key, algorithm)  # type: ignore[arg-type]
    return KeyAndRequest(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        request.public_bytes(Encoding.DER),
    )
