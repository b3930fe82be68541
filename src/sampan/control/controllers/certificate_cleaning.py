"""Takes away requests for certificates that are settled, forgotten, or whose certificate ended.

The times are those of k8s.io/kubernetes `pkg/controller/certificates/cleaner`.
"""

import base64
from datetime import datetime, timedelta

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.identity_views import SigningRequest
from sampan.foundation.pki.signing_requests import expiration_of
from sampan.kubernetes.kinds.resource import CERTIFICATE_SIGNING_REQUESTS
from sampan.kubernetes.machinery.timestamps import parse

ACCOUNT, COMPONENT = "certificate-controller", "certificate-cleaner-controller"
SETTLED = timedelta(hours=1)
PENDING = timedelta(hours=24)
_SETTLING = ("Approved", "Denied", "Failed")


class Snapshot(msgspec.Struct, frozen=True):
    request: SigningRequest


def plan(snapshot: Snapshot, now: datetime) -> plans.Plan:
    """Delete the request when its time has come, or come back then."""
    request = snapshot.request
    if request.metadata.deletion_timestamp:
        return plans.NOTHING
    end = end_of(request)
    if end > now:
        return plans.Plan(again_after=(end - now).total_seconds())
    delete = plans.deletion(CERTIFICATE_SIGNING_REQUESTS, request.metadata, unchanged=True)
    return plans.Plan(actions=(delete,))


def end_of(request: SigningRequest) -> datetime:
    """When a request is of no more use to anybody."""
    created = parse(request.metadata.creation_timestamp or "1970-01-01T00:00:00Z")
    ends = [created + PENDING] if not request.status.conditions else []
    certificate = request.status.certificate
    for each in request.status.conditions:
        # An approved request whose certificate is still to come has all the time of a new one.
        if each.type in _SETTLING:
            is_open = each.type == "Approved" and not certificate
            changed = parse(each.last_update_time) if each.last_update_time else created
            ends.append(changed + (PENDING if is_open else SETTLED))
    if certificate:
        try:
            ends.append(expiration_of(base64.b64decode(certificate)))
        except ValueError:
            ends.append(created + SETTLED)
    return min(ends, default=created + PENDING)


def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
    """The request; None for one that is gone."""
    request = caches.signing_requests.get(key)
    return None if request is None else Snapshot(request)


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(Watch(lambda caches: caches.signing_requests, keys_of_self),),
    observe=observe,
    plan=plan,
    workers=1,
)
