"""Who asks for a certificate, who may approve it, and who may sign.

As Kubernetes' CertificateSubjectRestriction, CertificateApproval and CertificateSigning, and the
strategy that writes down who a request is from.
"""

from sampan.control.api.admission.write import Write
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.authorization.signers import may_use_signer
from sampan.foundation.pki.signing_requests import InvalidRequest, requested
from sampan.foundation.pki.subjects import ADMINISTRATORS
from sampan.kubernetes.kinds.certificates.signer_names import API_SERVER_CLIENT
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import CERTIFICATE_SIGNING_REQUESTS


def name_requestor(write: Write) -> None:
    """A request says who made it, whatever its body says."""
    new = write.new
    if write.kind.resource != CERTIFICATE_SIGNING_REQUESTS or not write.is_create or new is None:
        return
    spec = new.setdefault("spec", {})
    for field in ("username", "uid", "groups", "extra"):
        spec.pop(field, None)
    identity = write.identity
    given: Object = {
        "username": identity.name,
        "uid": identity.uid,
        "groups": list(identity.groups),
        "extra": {key: list(values) for key, values in identity.extra.items()},
    }
    spec.update({key: value for key, value in given.items() if value})


class CertificateRequests:
    """Judges the writes to a request; see the module."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def __call__(self, write: Write) -> None:
        """Raises Refused (403)."""
        if write.kind.resource != CERTIFICATE_SIGNING_REQUESTS or write.new is None:
            return
        if write.old is None:
            _check_subject(write, write.new)
        elif write.subresource == "approval":
            self._check(write, write.old, "approve")
        elif write.subresource == "status" and _answer(write.new) != _answer(write.old):
            self._check(write, write.old, "sign")

    def _check(self, write: Write, request: Object, verb: str) -> None:
        signer = str((request.get("spec") or {}).get("signerName", ""))
        if not may_use_signer(self._authorizer, write.identity, verb, signer):
            explanation = f'user not permitted to {verb} requests with signerName "{signer}"'
            raise write.refusal(explanation)


def _answer(request: Object) -> object:
    """What a signer says of a request."""
    given = request.get("status") or {}
    failed = [it for it in given.get("conditions") or () if it.get("type") == "Failed"]
    return given.get("certificate", ""), failed


def _check_subject(write: Write, request: Object) -> None:
    """Nobody asks to become an administrator: such a certificate could not be taken back."""
    spec = request.get("spec") or {}
    if spec.get("signerName") != API_SERVER_CLIENT:
        return
    try:
        organizations = requested(spec.get("request", "")).organizations
    except InvalidRequest as error:
        raise write.refusal(f"unable to parse CSR: {error}") from error
    if ADMINISTRATORS in organizations:
        explanation = (
            f"use of {API_SERVER_CLIENT} signer with {ADMINISTRATORS} group is not allowed"
        )
        raise write.refusal(explanation)
