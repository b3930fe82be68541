"""Keys of each type, and requests that prove that they are held."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sampan.foundation.pki.stub_requests import KEY_TYPES, make


@pytest.mark.parametrize("key_type", [it for it in KEY_TYPES if it != "RSA4096"])
def test_a_request_is_signed_with_the_key_that_comes_with_it(key_type):
    pair = make(key_type)
    request = x509.load_der_x509_csr(pair.request)
    assert request.is_signature_valid
    assert list(request.subject) == []
    key = load_pem_private_key(pair.key, None)
    assert request.public_key() == key.public_key()
    assert pair.key.startswith(b"-----BEGIN PRIVATE KEY-----")


def test_another_type_is_refused():
    with pytest.raises(KeyError):
        make("DSA1024")
