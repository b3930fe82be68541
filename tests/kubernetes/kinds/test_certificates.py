"""The kinds of certificates.k8s.io: requests, their answers, and bundles of roots."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sampan.kubernetes.kinds.certificates.pod_requests import POD_CERTIFICATE_REQUEST
from sampan.kubernetes.kinds.certificates.signing_requests import CERTIFICATE_SIGNING_REQUEST
from sampan.kubernetes.kinds.certificates.trust_bundles import CLUSTER_TRUST_BUNDLE

KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
NOW = datetime(2026, 11, 23, tzinfo=UTC)
APPROVED = {"type": "Approved", "status": "True", "reason": "Fine"}
CSR = CERTIFICATE_SIGNING_REQUEST


def _request(encoding: Encoding) -> bytes:
    made = x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(KEY, hashes.SHA256())
    return made.public_bytes(encoding)


def _certificate(key: ec.EllipticCurvePrivateKey = KEY, *, authority: bool = True) -> str:
    constraints = x509.BasicConstraints(ca=authority, path_length=None)
    made = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(constraints, critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


def _encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


PEM = _encoded(_request(Encoding.PEM))
BROKEN = _request(Encoding.PEM).replace(b"\nM", b"\nN", 1)
SPEC = {"request": PEM, "signerName": "a.b/c", "usages": ["client auth"]}


def _signing(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"spec": {**SPEC, **spec}} | ({} if status is None else {"status": status})


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"request": _encoded("x")}, "spec.request", "CERTIFICATE REQUEST"),
        ({"request": _encoded(BROKEN)}, "spec.request", "not a certificate request"),
        ({"usages": []}, "spec.usages", "Required value"),
        ({"usages": ["dancing"]}, "spec.usages[0]", "Unsupported value"),
        ({"usages": ["any", "any"]}, "spec.usages[1]", "Duplicate value"),
        ({"signerName": "a"}, "spec.signerName", "fully qualified domain and path"),
        ({"signerName": "a/b"}, "spec.signerName", "at least two segments"),
        ({"signerName": "a.b/C"}, "spec.signerName", 'validating label "C"'),
        ({"signerName": "kubernetes.io/legacy-unknown"}, "spec.signerName", "legacy signerName"),
        ({"expirationSeconds": 599}, "spec.expirationSeconds", "less than 600 seconds"),
    ],
)
def test_rules_of_requests(causes: Any, spec: dict[str, Any], field: str, message: str) -> None:
    assert message in causes(CSR, _signing(**spec)).get(field, "")


def test_requests_stay_as_they_were_made() -> None:
    old = {"metadata": {"name": "a"}, "spec": dict(SPEC), "status": {"conditions": [APPROVED]}}
    new = {"metadata": {"name": "a"}, "spec": {"request": "other"}, "status": {}}
    CSR.prepare(new, old)
    assert new["spec"] == SPEC
    assert new["status"] == old["status"]


def test_approval_sets_conditions_and_nothing_else(causes: Any) -> None:
    old: dict[str, Any] = {**_signing({"certificate": "old"}), "metadata": {"name": "a"}}
    new: dict[str, Any] = {
        "metadata": {"name": "a"},
        "spec": {},
        "status": {"conditions": [APPROVED], "certificate": "new"},
    }
    CSR.strategy("approval")(new, old)
    assert new["spec"] == SPEC
    assert new["status"] == {"certificate": "old", "conditions": [APPROVED]}
    assert causes(CSR, _signing({"conditions": [APPROVED]}), _signing({}), "approval") == {}


@pytest.mark.parametrize(
    ("conditions", "field", "message"),
    [
        ([{"type": "Approved", "status": "False"}], "status.conditions[0].status", '"True"'),
        ([APPROVED, {**APPROVED, "type": "Denied"}], "status.conditions", "mutually exclusive"),
        ([APPROVED, APPROVED], "status.conditions[1].type", "Duplicate value"),
        ([{"type": "", "status": "True"}], "status.conditions[0].type", "Required value"),
        ([], "status.conditions", 'may not remove a condition of type "Approved"'),
    ],
)
def test_rules_of_conditions(
    causes: Any, conditions: list[dict[str, str]], field: str, message: str
) -> None:
    old = _signing({"conditions": [APPROVED]})
    found = causes(CSR, _signing({"conditions": conditions}), old, "approval")
    assert message in found.get(field, "")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ([], [APPROVED], 'may not add a condition of type "Approved"'),
        (
            [APPROVED],
            [{**APPROVED, "reason": "x"}],
            'may not modify a condition of type "Approved"',
        ),
    ],
)
def test_nobody_approves_through_the_status(
    causes: Any, before: list[Any], after: list[Any], message: str
) -> None:
    old, new = _signing({"conditions": before}), _signing({"conditions": after})
    assert message in causes(CSR, new, old, "status")["status.conditions"]


def test_the_certificate_is_set_once(causes: Any) -> None:
    issued = {"certificate": _encoded(_certificate())}
    assert causes(CSR, _signing(issued), _signing({}), "status") == {}
    assert "status.certificate" in causes(CSR, _signing({}), _signing(issued), "status")
    wrong = {"certificate": _encoded(_request(Encoding.PEM))}
    found = causes(CSR, _signing(wrong), _signing({}), "status")
    assert "only CERTIFICATE PEM blocks are allowed" in found["status.certificate"]


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ({}, "Pending"),
        ({"conditions": [APPROVED]}, "Approved"),
        ({"conditions": [APPROVED], "certificate": "x"}, "Approved,Issued"),
        ({"conditions": [{"type": "Denied"}]}, "Denied"),
        ({"conditions": [APPROVED, {"type": "Failed"}]}, "Approved,Failed"),
    ],
)
def test_the_condition_is_told_in_a_word(status: dict[str, Any], shown: str) -> None:
    now: Any = None
    column = next(column for column in CSR.columns if column.name == "Condition")
    assert column.cell(_signing(status), now) == shown


@pytest.mark.parametrize(
    ("bundle", "message"),
    [
        ("", "at least one trust anchor"),
        (_certificate() * 2, "duplicate trust anchor (indices [0 1])"),
        (_certificate(authority=False), "entry 0 does not have the CA bit set"),
        (_request(Encoding.PEM).decode(), "entry 0 has bad block type: CERTIFICATE REQUEST"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "entry 0 does not parse as X.509",
        ),
    ],
)
def test_rules_of_bundles(causes: Any, bundle: str, message: str) -> None:
    assert (
        message
        in causes(CLUSTER_TRUST_BUNDLE, {"spec": {"trustBundle": bundle}})["spec.trustBundle"]
    )


@pytest.mark.parametrize(
    ("name", "signer", "right"),
    [
        ("roots", "", True),
        ("a:roots", "", False),
        ("a.b:c:roots", "a.b/c", True),
        ("roots", "a.b/c", False),
        ("a.b:c:R", "a.b/c", False),
    ],
)
def test_names_of_bundles(causes: Any, name: str, signer: str, right: bool) -> None:
    spec = {"trustBundle": _certificate()} | ({"signerName": signer} if signer else {})
    found = causes(CLUSTER_TRUST_BUNDLE, {"metadata": {"name": name}, "spec": spec})
    assert ("metadata.name" not in found) is right


POD = {
    "signerName": "a.b/c",
    "podName": "p",
    "podUID": "1",
    "serviceAccountName": "s",
    "serviceAccountUID": "2",
    "nodeName": "n",
    "nodeUID": "3",
    "stubPKCS10Request": _encoded(_request(Encoding.DER)),
}
ISSUED = {
    "certificateChain": _certificate(),
    "notBefore": "2026-11-23T00:00:00Z",
    "notAfter": "2026-11-24T00:00:00Z",
    "beginRefreshAt": "2026-11-23T12:00:00Z",
}


def _answered(kind: str, **status: Any) -> dict[str, Any]:
    return {"spec": POD, "status": {"conditions": [{"type": kind, "status": "True"}], **status}}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("podUID", ""),
        ("nodeName", "A"),
        ("maxExpirationSeconds", 60),
        ("maxExpirationSeconds", 92 * 86400),
        ("stubPKCS10Request", _encoded("x")),
        ("signerName", "x"),
    ],
)
def test_rules_of_pods_requests(causes: Any, field: str, value: Any) -> None:
    assert f"spec.{field}" in causes(POD_CERTIFICATE_REQUEST, {"spec": {**POD, field: value}})


def test_a_pods_request_is_answered_once(causes: Any) -> None:
    asked: dict[str, Any] = {"spec": POD}

    def answer(new: dict[str, Any], old: dict[str, Any] = asked) -> dict[str, str]:
        found: dict[str, str] = causes(POD_CERTIFICATE_REQUEST, new, old, "status")
        return found

    assert answer(_answered("Issued", **ISSUED)) == {}
    assert answer(_answered("Denied")) == {}
    assert "must be empty" in answer(_answered("Denied", **ISSUED))["status"]
    assert "status.notAfter" in answer(_answered("Issued", **{**ISSUED, "notAfter": None}))
    foreign = {**ISSUED, "certificateChain": _certificate(OTHER_KEY)}
    chain = answer(_answered("Issued", **foreign))["status.certificateChain"]
    assert "not issued to the requested public key" in chain
    assert "immutable" in answer(_answered("Issued", **ISSUED), _answered("Denied"))["status"]
    assert "status.conditions[0].type" in answer(_answered("Perhaps"))
    assert "immutable unless" in answer({"spec": POD, "status": {"notBefore": "x"}})["status"]
