"""Certificates say what was asked for, and an authority knows its own."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from sampan.foundation.pki.authority import Authority, InvalidKey, KeyPair, generate_key, load_key

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("test-ca", NOW)


def test_a_certificate_holds_its_subject_and_names(authority: Authority) -> None:
    pair = authority.issue(
        "system:node:node-1",
        organizations=("system:nodes",),
        dns_names=("node-1",),
        addresses=(IPv4Address("10.44.0.1"),),
        usage="both",
        now=NOW,
    )
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    assert certificate.subject.rfc4514_string() == "CN=system:node:node-1,O=system:nodes"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["node-1"]
    assert names.get_values_for_type(x509.IPAddress) == [IPv4Address("10.44.0.1")]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    assert certificate.not_valid_after_utc == NOW + timedelta(days=365)
    assert certificate.not_valid_before_utc < NOW


def test_a_certificate_never_outlives_its_authority(authority: Authority) -> None:
    pair = authority.issue("x", usage="client", days=99_999, now=NOW)
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    assert certificate.not_valid_after_utc == authority.expires


def test_an_authority_vouches_for_its_own_whole_valid_pairs_alone(authority: Authority) -> None:
    pair = authority.issue("x", dns_names=("x",), usage="client", days=10, now=NOW)
    names = frozenset(("x",))
    stranger = Authority.create("test-ca", NOW)
    assert authority.vouches_for(pair, until=NOW, alternatives=names)
    assert not authority.vouches_for(pair, until=NOW + timedelta(days=11), alternatives=names)
    assert not authority.vouches_for(pair, until=NOW)
    assert not stranger.vouches_for(pair, until=NOW, alternatives=names)
    assert not authority.vouches_for(
        KeyPair(pair.certificate, generate_key()), until=NOW, alternatives=names
    )
    assert not authority.vouches_for(KeyPair(b"torn", pair.key), until=NOW, alternatives=names)


def test_a_renewed_authority_vouches_for_what_the_old_one_issued(authority: Authority) -> None:
    pair = authority.issue("x", usage="client", now=NOW)
    renewed = Authority.create("test-ca", NOW + timedelta(days=100), key=authority.key)
    assert renewed.vouches_for(pair, until=NOW)
    assert renewed.expires > authority.expires


def test_a_foreign_key_is_refused(authority: Authority) -> None:
    with pytest.raises(InvalidKey):
        Authority(authority.certificate, generate_key())
    with pytest.raises(InvalidKey):
        load_key(b"nothing")
