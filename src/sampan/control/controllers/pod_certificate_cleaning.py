"""Takes away requests for certificates of pods a quarter of an hour after they were made.

By then they are answered, or nobody is going to; an agent that still waits asks anew. The time is
that of k8s.io/kubernetes `pkg/controller/certificates/cleaner` (KEP-4317).
"""

from datetime import datetime, timedelta

import msgspec

from sampan.control.controllers import plan as plans
from sampan.control.controllers.caches import Caches
from sampan.control.controllers.controller import Circumstances, Controller, Watch, keys_of_self
from sampan.control.controllers.identity_views import PodCertificateRequest
from sampan.kubernetes.kinds.resource import POD_CERTIFICATE_REQUESTS
from sampan.kubernetes.machinery.timestamps import parse

ACCOUNT = COMPONENT = "podcertificaterequestcleaner"
KEPT = timedelta(minutes=15)


class Snapshot(msgspec.Struct, frozen=True):
    request: PodCertificateRequest


def plan(snapshot: Snapshot, now: datetime) -> plans.Plan:
    """Delete the request when its time has come, or come back then."""
    metadata = snapshot.request.metadata
    if metadata.deletion_timestamp or metadata.creation_timestamp is None:
        return plans.NOTHING
    end = parse(metadata.creation_timestamp) + KEPT
    if end > now:
        return plans.Plan(again_after=(end - now).total_seconds())
    delete = plans.deletion(POD_CERTIFICATE_REQUESTS, metadata)
    return plans.Plan(actions=(delete,))


def observe(caches: Caches, key: str, _circumstances: Circumstances) -> Snapshot | None:
    """The request; None for one that is gone."""
    request = caches.pod_certificate_requests.get(key)
    return None if request is None else Snapshot(request)


CONTROLLER = Controller(
    account=ACCOUNT,
    component=COMPONENT,
    watches=(Watch(lambda caches: caches.pod_certificate_requests, keys_of_self),),
    observe=observe,
    plan=plan,
    workers=1,
)
