"""PodCertificateRequest: a certificate that a node asks for in the name of a pod (KEP-4317).

A signer answers once, through `/status`: issued, denied or failed; nothing changes after that.
"""

import base64
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sampan.foundation.pki.signing_requests import verified
from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.certificates.pem_blocks import (
    Unreadable,
    blocks,
    certificate_of,
)
from sampan.kubernetes.kinds.certificates.signer_names import check_signer_name
from sampan.kubernetes.kinds.columns import CREATED_AT, NAME, part
from sampan.kubernetes.kinds.field_rules import check_text
from sampan.kubernetes.kinds.kind import Cause, Object, Subresource
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.record import UPDATE_VERBS, make
from sampan.kubernetes.kinds.resource import POD_CERTIFICATE_REQUESTS
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import invalid, required, too_long, unsupported

_DEFAULT_SECONDS = 86400
_SHORTEST, _LONGEST, _LONGEST_OF_KUBERNETES = 3600, 91 * 86400, 86400
_LONGEST_UID = 128
_LONGEST_REQUEST = 10 << 10
_LONGEST_CHAIN = 100 << 10
_FINAL = ("Denied", "Failed", "Issued")
_TIMES = ("notBefore", "notAfter", "beginRefreshAt")
_CONDITIONS = "status.conditions"
_CHAIN = "status.certificateChain"
_OVER = "immutable after PodCertificateRequest is issued, denied, or failed"
_ONE_ANSWER = 'There may be at most one condition with type "Issued", "Denied", or "Failed"'
_EMPTY = "non-condition status fields must be empty when denying or failing the "
_NO_ANSWER = 'status is immutable unless transitioning to "Issued", "Denied", or "Failed"'


def _default(request: Object) -> None:
    request.setdefault("spec", {}).setdefault("maxExpirationSeconds", _DEFAULT_SECONDS)


def _prepare(new: Object, old: Object | None) -> None:
    strategies.keep_status(new, old)
    if old is None:
        new["status"] = {}


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    if old is not None:
        yield from check_immutable(spec, old.get("spec"), "spec")
        return
    yield from check_signer_name(spec.get("signerName", ""), "spec.signerName")
    for name in ("podName", "serviceAccountName", "nodeName"):
        yield from check_text(names.subdomain, spec.get(name, ""), f"spec.{name}")
    for name in ("podUID", "serviceAccountUID", "nodeUID"):
        uid = spec.get(name, "")
        if not uid:
            yield invalid(f"spec.{name}", uid, "must not be empty")
        if len(uid) > _LONGEST_UID:
            yield too_long(f"spec.{name}", _LONGEST_UID)
    for key in spec.get("unverifiedUserAnnotations") or ():
        yield from check_text(names.qualified_name, key.lower(), "spec.unverifiedUserAnnotations")
    yield from _check_duration(spec)
    yield from _check_request(spec.get("stubPKCS10Request", ""))


def _check_duration(spec: Object) -> Iterator[Cause]:
    domain = spec.get("signerName", "").partition("/")[0]
    own = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    longest = _LONGEST_OF_KUBERNETES if own else _LONGEST
    seconds = spec.get("maxExpirationSeconds", _DEFAULT_SECONDS)
    if not _SHORTEST <= seconds <= longest:
        detail = f"must be in the range [{_SHORTEST}, {longest}]"
        yield invalid("spec.maxExpirationSeconds", seconds, detail)


def _check_request(encoded: str) -> Iterator[Cause]:
    field = "spec.stubPKCS10Request"
    if len(encoded) > _LONGEST_REQUEST * 4 // 3:
        yield too_long(field, _LONGEST_REQUEST)
        return
    try:
        _request_of(encoded)
    except ValueError as error:
        yield invalid(field, encoded, str(error))


def _request_of(encoded: str) -> x509.CertificateSigningRequest:
    """Raises ValueError."""
    return verified(x509.load_der_x509_csr, base64.b64decode(encoded, validate=True))


def _answer(request: Object) -> list[str]:
    """The final conditions of a request, of which there should be one at most."""
    conditions = part(request, "status", "conditions") or ()
    return [it["type"] for it in conditions if it.get("type") in _FINAL]


def _status_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    causes = list(_check_conditions(part(new, "status", "conditions") or []))
    yield from causes
    if causes or old is None:
        return
    status, before = new.get("status") or {}, old.get("status") or {}
    answer = next(iter(_answer(new)), "")
    if _answer(old):
        if status != before:
            yield invalid("status", "", _OVER)
    elif answer in ("Denied", "Failed"):
        if status.keys() - {"conditions"}:
            yield invalid("status", "", f"{_EMPTY}PodCertificateRequest")
    elif answer == "Issued":
        yield from _check_issued(status, (new.get("spec") or {}).get("stubPKCS10Request", ""))
    elif status != before:
        yield invalid("status", "", _NO_ANSWER)


def _check_conditions(conditions: list[Object]) -> Iterator[Cause]:
    answered = False
    for index, condition in enumerate(conditions):
        field, kind = f"{_CONDITIONS}[{index}]", condition.get("type", "")
        if kind not in _FINAL:
            yield unsupported(f"{field}.type", kind, _FINAL)
            continue
        if answered:
            yield invalid(f"{field}.type", kind, _ONE_ANSWER)
        answered = True
        if condition.get("status") != "True":
            yield unsupported(f"{field}.status", condition.get("status", ""), ("True",))


def _check_issued(status: Object, request: str) -> Iterator[Cause]:
    chain = status.get("certificateChain", "")
    if len(chain) > _LONGEST_CHAIN:
        yield too_long(_CHAIN, _LONGEST_CHAIN)
        return
    found = blocks(chain.encode())
    if not found:
        detail = "issued certificate chain must contain at least one certificate"
        yield invalid(_CHAIN, chain, detail)
        return
    if any(block.label != "CERTIFICATE" for block in found):
        detail = "issued certificate chain must consist entirely of CERTIFICATE PEM blocks"
        yield invalid(_CHAIN, chain, detail)
        return
    which = "leaf"
    try:
        leaf = certificate_of(found[0])
        which = "intermediate"
        for block in found[1:]:
            certificate_of(block)
    except Unreadable:
        yield invalid(_CHAIN, chain, f"{which} certificate does not parse as valid X.509")
        return
    if _key(leaf) != _key(_request_of(request)):
        detail = "leaf certificate was not issued to the requested public key"
        yield invalid(_CHAIN, chain, detail)
    for name in _TIMES:
        if not status.get(name):
            detail = "must be present and consistent with the issued certificate"
            yield required(f"status.{name}", detail)


def _key(holder: x509.Certificate | x509.CertificateSigningRequest) -> bytes:
    return holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


POD_CERTIFICATE_REQUEST = make(
    POD_CERTIFICATE_REQUESTS,
    default=_default,
    prepare=_prepare,
    rules=_rules,
    selectable=("spec.signerName", "spec.podName", "spec.nodeName"),
    prepare_status=strategies.only_status,
    subresources=(
        Subresource(
            "status",
            "PodCertificateRequest",
            "certificates.k8s.io/v1",
            UPDATE_VERBS,
            rules=_status_rules,
        ),
    ),
    columns=(NAME, CREATED_AT),
)
