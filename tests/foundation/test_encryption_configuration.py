"""The file that says what is encrypted: what it may say, and how keys rotate."""

import base64
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from sampan.control.api.cache.encrypted_resources import encryption_rules
from sampan.foundation import encryption_configuration as encryption
from sampan.foundation.encryption_configuration import InvalidEncryption
from sampan.store.envelope import EncryptionRule, Envelopes

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 4, 1, 12, tzinfo=UTC)
PLAIN: dict = {"identity": {}}
ONE, TWO = b"1" * 32, b"2" * 16


def document(*rules: dict) -> bytes:
    return yaml.safe_dump(
        {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "EncryptionConfiguration",
            "resources": list(rules),
        }
    ).encode()


def key(name: str, secret: bytes) -> dict:
    return {"name": name, "secret": base64.b64encode(secret).decode()}


def test_the_first_configuration_encrypts_secrets() -> None:
    made = encryption.first_configuration(ONE, NOW)
    assert encryption.parse(encryption.render(made)) == made
    assert encryption_rules(made) == (EncryptionRule(b"/core/secrets/", (ONE,)),)


def test_a_rotated_configuration_writes_with_the_new_key_and_reads_with_the_old() -> None:
    first = encryption.first_configuration(ONE, NOW)
    made = encryption.rotated(first, TWO, LATER)
    assert encryption_rules(made) == (EncryptionRule(b"/core/secrets/", (TWO, ONE)),)
    assert encryption.parse(encryption.render(made)) == made
    assert encryption.writing_keys(made) != encryption.writing_keys(first)
    stored = Envelopes(encryption_rules(first)).seal(b"/core/secrets/a/b", b"value")
    assert Envelopes(encryption_rules(made)).unseal(b"/core/secrets/a/b", stored) == b"value"


def test_a_configuration_of_kubernetes_own_form_is_understood() -> None:
    both = {"aesgcm": {"keys": [key("a", ONE), key("b", TWO)]}}
    made = encryption.parse(
        document(
            {
                "resources": ["secrets", "widgets.example.org"],
                "providers": [both, {"identity": {}}],
            },
            {"resources": ["configmaps"], "providers": [PLAIN, both]},
            {"resources": ["*.apps", "*.*"], "providers": [PLAIN]},
        )
    )
    assert encryption_rules(made) == (
        EncryptionRule(b"/core/secrets/", (ONE, TWO)),
        EncryptionRule(b"/example.org/widgets/", (ONE, TWO)),
        EncryptionRule(b"/core/configmaps/", (ONE, TWO), write_plain=True),
        EncryptionRule(b"/apps/", (), write_plain=True),
        EncryptionRule(b"/", (), write_plain=True),
    )
    assert encryption.writing_keys(made) == ("a",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\t[",
        b"kind: Pod",
        document({"resources": ["secrets"]}),
        document({"resources": "secrets", "providers": [PLAIN]}),
        document({"resources": ["secrets"], "providers": [{"kms": {}}]}),
        document({"resources": ["secrets"], "providers": [{"aesgcm": {"keys": []}}]}),
        document({"resources": ["secrets"], "providers": [{"aesgcm": {"keys": [{}]}}]}),
        document({"resources": ["a"], "providers": [{"aesgcm": {"keys": [key("a", b"short")]}}]}),
        document(
            {
                "resources": ["a"],
                "providers": [{"aesgcm": {"keys": [{"name": "a", "secret": "?"}]}}],
            }
        ),
    ],
)
def test_what_can_not_be_understood_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidEncryption):
        encryption.parse(content)


@pytest.mark.parametrize("resource", ["", "a/b", "*.*.*", ".apps"])
def test_a_name_that_is_no_resource_is_refused(resource: str) -> None:
    rule = encryption.EncryptedResources((resource,), ())
    with pytest.raises(InvalidEncryption):
        encryption_rules((rule,))


def test_the_file_is_for_its_owner_alone_and_an_error_names_it(tmp_path: Path) -> None:
    path = tmp_path / "configuration" / "encryption.yaml"
    encryption.write(path, encryption.first_configuration(ONE, NOW))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "MTEx" not in repr(encryption.read(path))
    assert "1111" not in repr(encryption.read(path))
    path.write_bytes(b"kind: Pod")
    with pytest.raises(InvalidEncryption, match=r"encryption\.yaml"):
        encryption.read(path)
