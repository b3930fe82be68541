"""Approves the certificates that nodes ask for, of those who may ask: nobody else's.

Who joins with a bootstrap token asks in the name of a node (`nodeclient`); a node renews its own
(`selfnodeclient`). Both are permissions that roles grant, as in Kubernetes.
"""

from datetime import datetime

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.certificate_signers import kubelet_client_problem
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.identity_views import SigningRequest
from sampan.foundation.pki import signing_requests
from sampan.foundation.pki.signing_requests import InvalidRequest
from sampan.kubernetes.kinds.certificates.signer_names import KUBELET_CLIENT
from sampan.kubernetes.kinds.resource import CERTIFICATE_SIGNING_REQUESTS
from sampan.kubernetes.machinery.timestamps import to_seconds

ACCOUNT, COMPONENT = "certificate-controller", "certificate-approval-controller"
_OWN = (
    "selfnodeclient",
    "Auto approving self kubelet client certificate after SubjectAccessReview.",
)
_ANY = ("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview.")


class Snapshot(msgspec.Struct, frozen=True):
    request: SigningRequest
    permissions: plans.Permissions


def plan(snapshot: Snapshot, now: datetime) -> plans.Plan:
    """Ask whether the requestor may have it, and approve it then."""
    request = snapshot.request
    if request.status.conditions or request.spec.signer_name != KUBELET_CLIENT:
        return plans.NOTHING
    for subresource, message in _recognized(request):
        question = _question(request, subresource)
        if question not in snapshot.permissions:
            return plans.Plan(questions=(question,))
        if snapshot.permissions[question]:
            return plans.Plan(actions=(_approval(request, message, now),))
    return plans.NOTHING


def _recognized(request: SigningRequest) -> tuple[tuple[str, str], ...]:
    """The permissions by which this request could be approved."""
    try:
        found = signing_requests.requested(request.spec.request)
    except InvalidRequest:
        return ()
    if kubelet_client_problem(found, request.spec.usages):
        return ()
    return (_OWN, _ANY) if found.common_name == request.spec.username else (_ANY,)


def _question(request: SigningRequest, subresource: str) -> plans.Question:
    spec = request.spec
    return plans.Question(
        user=spec.username,
        uid=spec.uid,
        groups=spec.groups,
        extra=tuple(sorted(spec.extra.items())),
        resource=CERTIFICATE_SIGNING_REQUESTS,
        subresource=subresource,
        verb="create",
    )


def _approval(request: SigningRequest, message: str, now: datetime) -> plans.Patch:
    moment = to_seconds(now)
    approved = {
        "type": "Approved",
        "status": "True",
        "reason": "AutoApproved",
        "message": message,
        "lastUpdateTime": moment,
        "lastTransitionTime": moment,
    }
    return plans.Patch(
        resource=CERTIFICATE_SIGNING_REQUESTS,
        name=request.metadata.name,
        uid=request.metadata.uid,
        resource_version=request.metadata.resource_version,
        subresource="approval",
        body={"status": {"conditions": [approved]}},
    )


def observe(caches: Caches, key: str, circumstances: Circumstances) -> Snapshot | None:
    """The request, and what was answered about its requestor; None for one that is gone."""
    request = caches.signing_requests.get(key)
    return None if request is None else Snapshot(request, circumstances.permissions)


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(Watch(lambda caches: caches.signing_requests, keys_of_self),),
    observe=observe,
    plan=plan,
    workers=1,
)
