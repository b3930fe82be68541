"""CertificateSigningRequest: a certificate that somebody asks for.

Its conditions Approved and Denied come through `/approval`, the certificate through `/status`.
"""

import base64
from collections.abc import Iterator

from sampan.foundation.pki.signing_requests import USAGES
from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.certificates.pem_blocks import (
    Unreadable,
    blocks,
    certificate_of,
    request_of,
)
from sampan.kubernetes.kinds.certificates.signer_names import check_signer_name
from sampan.kubernetes.kinds.columns import AGE, NAME, NONE, part, text
from sampan.kubernetes.kinds.field_rules import check_unique
from sampan.kubernetes.kinds.kind import Cause, Object, Subresource
from sampan.kubernetes.kinds.record import UPDATE_VERBS, make
from sampan.kubernetes.kinds.resource import CERTIFICATE_SIGNING_REQUESTS
from sampan.kubernetes.machinery import durations
from sampan.kubernetes.machinery.causes import (
    duplicate,
    forbidden,
    invalid,
    required,
    unsupported,
)

LEGACY_SIGNER = "kubernetes.io/legacy-unknown"
_CONDITIONS = "status.conditions"
_APPROVAL = ("Approved", "Denied")
_FINAL = (*_APPROVAL, "Failed")
_STATES = ("False", "True", "Unknown")
_SHORTEST_SECONDS = 600
_EXCLUSIVE = "Approved and Denied conditions are mutually exclusive"


def _prepare(new: Object, old: Object | None) -> None:
    """A request stays what it was; who asks is filled in by admission."""
    strategies.keep_status(new, old)
    if old is None:
        new["status"] = {}
    else:
        new["spec"] = old["spec"]


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    if old is None or spec != old.get("spec"):
        yield from _check_request(spec)
    conditions = part(new, "status", "conditions") or []
    yield from _check_conditions(conditions)
    encoded = part(new, "status", "certificate") or ""
    before = part(old or {}, "status", "certificate") or ""
    if encoded != before:
        yield from _check_certificate(encoded)
        if before:
            detail = "updates may not modify existing certificate content"
            yield forbidden("status.certificate", detail)
    for kind in _FINAL:
        if len(_of(conditions, kind)) < len(_of(_earlier(old), kind)):
            detail = f'updates may not remove a condition of type "{kind}"'
            yield forbidden(_CONDITIONS, detail)


def _earlier(old: Object | None) -> list[Object]:
    return part(old or {}, "status", "conditions") or []


def _of(conditions: list[Object], kind: str) -> list[Object]:
    return [condition for condition in conditions if condition.get("type") == kind]


def _check_request(spec: Object) -> Iterator[Cause]:
    encoded = spec.get("request", "")
    try:
        request_of(base64.b64decode(encoded))
    except ValueError as error:
        yield invalid("spec.request", encoded, str(error))
    usages = spec.get("usages") or []
    if not usages:
        yield required("spec.usages")
    for index, usage in enumerate(usages):
        if usage not in USAGES:
            yield unsupported(f"spec.usages[{index}]", usage, USAGES)
    yield from check_unique(usages, lambda index: f"spec.usages[{index}]")
    signer = spec.get("signerName", "")
    if signer == LEGACY_SIGNER:
        detail = "the legacy signerName is not allowed via this API version"
        yield invalid("spec.signerName", signer, detail)
    else:
        yield from check_signer_name(signer, "spec.signerName")
    seconds = spec.get("expirationSeconds", _SHORTEST_SECONDS)
    if seconds < _SHORTEST_SECONDS:
        detail = "may not specify a duration less than 600 seconds (10 minutes)"
        yield invalid("spec.expirationSeconds", seconds, detail)


def _check_conditions(conditions: list[Object]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        field, kind = f"{_CONDITIONS}[{index}]", condition.get("type", "")
        allowed = ("True",) if kind in _FINAL else _STATES
        if not kind:
            yield required(f"{field}.type")
        if not condition.get("status"):
            yield required(f"{field}.status")
        elif condition["status"] not in allowed:
            yield unsupported(f"{field}.status", condition["status"], allowed)
        if kind in _APPROVAL and seen & (set(_APPROVAL) - {kind}):
            yield invalid(_CONDITIONS, kind, _EXCLUSIVE)
        if kind in seen:
            yield duplicate(f"{field}.type", kind)
        seen.add(kind)


def _check_certificate(encoded: str) -> Iterator[Cause]:
    try:
        found = blocks(base64.b64decode(encoded))
        if encoded and not found:
            raise Unreadable("must contain at least one CERTIFICATE PEM block")
        for block in found:
            if block.label != "CERTIFICATE":
                wrong = f'only CERTIFICATE PEM blocks are allowed, found "{block.label}"'
                raise Unreadable(wrong)
            if block.has_headers:
                raise Unreadable("no PEM block headers are permitted")
            certificate_of(block)
    except ValueError as error:
        yield invalid("status.certificate", "<certificate data>", str(error))


def _prepare_approval(new: Object, old: Object | None) -> None:
    """A write to `/approval` sets conditions, and nothing else."""
    conditions = part(new, "status", "conditions")
    strategies.status_with_labels(new, old)
    if old is not None:
        new["status"] = {**(old.get("status") or {})}
        new["status"].pop("conditions", None)
    if conditions is not None:
        new.setdefault("status", {})["conditions"] = conditions


def _status_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """Nobody is approved or denied through `/status`."""
    conditions = part(new, "status", "conditions") or []
    for kind in _APPROVAL:
        before, after = _of(_earlier(old), kind), _of(conditions, kind)
        if len(after) > len(before):
            detail = f'updates may not add a condition of type "{kind}"'
            yield forbidden(_CONDITIONS, detail)
        elif len(after) == len(before) and after != before:
            detail = f'updates may not modify a condition of type "{kind}"'
            yield forbidden(_CONDITIONS, detail)


def _condition(request: Object) -> str:
    conditions = part(request, "status", "conditions") or []
    states = [kind for kind in ("Denied", "Approved") if _of(conditions, kind)][:1]
    states = states or ["Pending"]
    if _of(conditions, "Failed"):
        states.append("Failed")
    if part(request, "status", "certificate"):
        states.append("Issued")
    return ",".join(states)


def _requested_duration(request: Object) -> str:
    seconds = part(request, "spec", "expirationSeconds")
    return NONE if seconds is None else durations.human(seconds)


CERTIFICATE_SIGNING_REQUEST = make(
    CERTIFICATE_SIGNING_REQUESTS,
    rules=_rules,
    prepare=_prepare,
    name_form="path-segment",
    short_names=("csr",),
    selectable=("spec.signerName",),
    subresources=tuple(
        Subresource(
            name,
            "CertificateSigningRequest",
            "certificates.k8s.io/v1",
            UPDATE_VERBS,
            prepare=prepare,
            rules=rules,
        )
        for name, prepare, rules in (
            ("approval", _prepare_approval, None),
            ("status", None, _status_rules),
        )
    ),
    columns=(
        NAME,
        AGE,
        text(
            "SignerName",
            lambda obj: part(obj, "spec", "signerName") or NONE,
            about="Who is asked to sign.",
        ),
        text("Requestor", lambda obj: part(obj, "spec", "username") or "", about="Who asks."),
        text("RequestedDuration", _requested_duration, about="How long it shall be valid."),
        text("Condition", _condition, about="Whether it is approved, and issued."),
    ),
)
