"""Signs, with the cluster's authority, the requests for certificates that were approved."""

import base64
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.certificate_signers import SIGNERS
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.identity_views import SigningRequest
from sampan.control.controllers.views import condition
from sampan.foundation.pki import signing_requests
from sampan.foundation.pki.authority import Authority
from sampan.foundation.pki.signing_requests import InvalidRequest
from sampan.kubernetes.client.contract import Object
from sampan.kubernetes.kinds.resource import CERTIFICATE_SIGNING_REQUESTS
from sampan.kubernetes.machinery.timestamps import to_seconds

ACCOUNT, COMPONENT = "certificate-controller", "certificate-signing-controller"
LONGEST_LIFE = timedelta(days=365)
SHORTEST_LIFE = timedelta(minutes=10)

Sign = Callable[[SigningRequest, datetime], bytes]
"""The certificate for a request, PEM. Raises InvalidRequest."""


class Snapshot(msgspec.Struct, frozen=True):
    request: SigningRequest
    sign: Sign


def plan(snapshot: Snapshot, now: datetime) -> plans.Plan:
    """Sign what is approved and fits its signer; say why where it doesn't."""
    request = snapshot.request
    if not is_waiting(request):
        return plans.NOTHING
    try:
        found = signing_requests.requested(request.spec.request)
        problem = SIGNERS[request.spec.signer_name](found, request.spec.usages)
        if problem:
            return _answered(request, _failed(request, problem, now))
        certificate = snapshot.sign(request, now)
    except InvalidRequest as error:
        return _answered(request, _failed(request, str(error), now))
    return _answered(request, {"certificate": base64.b64encode(certificate).decode()})


def is_waiting(request: SigningRequest) -> bool:
    """Whether a request is approved, not answered yet, and one of ours to sign."""
    conditions = request.status.conditions
    return (
        request.spec.signer_name in SIGNERS
        and condition(conditions, "Approved") is not None
        and condition(conditions, "Denied") is None
        and condition(conditions, "Failed") is None
        and not request.status.certificate
    )


def _failed(request: SigningRequest, problem: str, now: datetime) -> Object:
    moment = to_seconds(now)
    failed = {
        "type": "Failed",
        "status": "True",
        "reason": "SignerValidationFailure",
        "message": problem,
        "lastUpdateTime": moment,
        "lastTransitionTime": moment,
    }
    return {"conditions": [*map(msgspec.to_builtins, request.status.conditions), failed]}


def _answered(request: SigningRequest, status: Object) -> plans.Plan:
    resource = CERTIFICATE_SIGNING_REQUESTS
    patch = plans.status_patch(resource, request.metadata, status)
    version = request.metadata.resource_version
    return plans.Plan(actions=(msgspec.structs.replace(patch, resource_version=version),))


def signed_by(authority: Authority) -> Sign:
    """How the cluster's authority signs: for as long as was asked, a year at most."""

    def sign(request: SigningRequest, now: datetime) -> bytes:
        seconds = request.spec.expiration_seconds
        asked = LONGEST_LIFE if seconds is None else timedelta(seconds=seconds)
        return signing_requests.sign(
            authority,
            signing_requests.decoded(request.spec.request),
            usages=request.spec.usages,
            lifetime=max(SHORTEST_LIFE, min(asked, LONGEST_LIFE)),
            now=now,
        )

    return sign


def controller(authority: Authority) -> Controller[Snapshot]:
    """`authority` is the one whose certificates the API takes."""
    sign = signed_by(authority)

    def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
        request = caches.signing_requests.get(key)
        return None if request is None else Snapshot(request, sign)

    return Controller(
        account=ACCOUNT,
        component=COMPONENT,
        watches=(Watch(lambda caches: caches.signing_requests, keys_of_self),),
        observe=observe,
        plan=plan,
        workers=1,
    )
