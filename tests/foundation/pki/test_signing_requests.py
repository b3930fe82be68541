"""What a request asks for, and what the certificate for it says."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sampan.foundation.pki import signing_requests
from sampan.foundation.pki.authority import Authority
from sampan.foundation.pki.signing_requests import InvalidRequest, Request

NOW = datetime(2031, 1, 1, tzinfo=UTC)
AUTHORITY = Authority.create("test-ca", NOW)
NAMES = (
    x509.DNSName("node-1"),
    x509.IPAddress(ip_address("10.0.0.1")),
    x509.UniformResourceIdentifier("spiffe://a/b"),
    x509.RFC822Name("a@example.com"),
)


def request(*names: x509.GeneralName, constraints: bool = False) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"),
        x509.NameAttribute(NameOID.COMMON_NAME, "system:node:node-1"),
    ]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if constraints:
        authority = x509.BasicConstraints(ca=True, path_length=None)
        builder = builder.add_extension(authority, critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def signed(pem: bytes, *usages: str, lifetime: timedelta = timedelta(days=1)) -> x509.Certificate:
    made = signing_requests.sign(AUTHORITY, pem, usages=usages, lifetime=lifetime, now=NOW)
    return x509.load_pem_x509_certificate(made)


def test_a_request_says_whom_it_is_for() -> None:
    assert signing_requests.read(request(*NAMES)) == Request(
        common_name="system:node:node-1",
        organizations=("system:nodes",),
        dns_names=("node-1",),
        addresses=("10.0.0.1",),
        uris=("spiffe://a/b",),
        emails=("a@example.com",),
    )


def test_a_certificate_holds_the_names_and_the_usages_alone() -> None:
    certificate = signed(request(*NAMES), "digital signature", "server auth")
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(AUTHORITY.certificate))
    extensions = certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert tuple(names) == NAMES
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_encipherment
    extended = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert certificate.not_valid_after_utc == NOW + timedelta(days=1)


def test_nobody_becomes_an_authority_by_asking() -> None:
    certificate = signed(request(constraints=True), "client auth")
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not constraints.ca


def test_a_certificate_does_not_outlive_its_authority() -> None:
    certificate = signed(request(), "client auth", lifetime=timedelta(days=10_000))
    assert certificate.not_valid_after_utc == AUTHORITY.expires


def tampered() -> bytes:
    loaded = x509.load_pem_x509_csr(request())
    content = loaded.public_bytes(serialization.Encoding.DER).replace(b"node-1", b"node-2")
    return x509.load_der_x509_csr(content).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    "pem", [b"", b"x", AUTHORITY.certificate, AUTHORITY.key, tampered()], ids=range(5)
)
def test_what_is_no_request_is_refused(pem: bytes) -> None:
    with pytest.raises(InvalidRequest):
        signing_requests.read(pem)


def test_a_request_comes_in_base64() -> None:
    with pytest.raises(InvalidRequest):
        signing_requests.requested("?")
