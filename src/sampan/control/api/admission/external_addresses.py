"""No service takes traffic for addresses that it only claims (CVE-2020-8554).

As Kubernetes' DenyServiceExternalIPs: whoever may write services could otherwise draw to
themselves what others send to an address. One that was stored before may be taken away.
"""

from sampan.control.api.admission.write import Write
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import SERVICES


def refuse_external_addresses(write: Write) -> None:
    """Raises Refused (403) for an address that is new in `spec.externalIPs`."""
    if write.kind.resource != SERVICES or write.new is None:
        return
    if _addresses(write.new) - _addresses(write.old or {}):
        raise write.refusal("Use of external IPs is denied by admission control.")


def _addresses(service: Object) -> set[str]:
    return set((service.get("spec") or {}).get("externalIPs") or ())
