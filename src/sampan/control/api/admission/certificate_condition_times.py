"""The times of a certificate request's conditions that whoever wrote them left out.

As upstream's strategy of CertificateSigningRequests fills them in at `/approval` and `/status`.
"""

from collections.abc import Callable
from datetime import datetime

from sampan.control.api.admission.write import Write
from sampan.kubernetes.kinds.resource import CERTIFICATE_SIGNING_REQUESTS
from sampan.kubernetes.machinery.timestamps import to_seconds

_SUBRESOURCES = ("approval", "status")


class CertificateConditionTimes:
    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def __call__(self, write: Write) -> None:
        """A condition whose state is the same keeps the time of its last transition."""
        if write.kind.resource != CERTIFICATE_SIGNING_REQUESTS or write.new is None:
            return
        if write.subresource not in _SUBRESOURCES:
            return
        now = to_seconds(self._clock())
        before = ((write.old or {}).get("status") or {}).get("conditions") or []
        since = {
            (it.get("type"), it.get("status")): it["lastTransitionTime"]
            for it in before
            if it.get("lastTransitionTime")
        }
        for it in (write.new.get("status") or {}).get("conditions") or ():
            if not it.get("lastUpdateTime"):
                it["lastUpdateTime"] = now
            if not it.get("lastTransitionTime"):
                it["lastTransitionTime"] = since.get((it.get("type"), it.get("status")), now)
