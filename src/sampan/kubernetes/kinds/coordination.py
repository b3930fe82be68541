"""The kind of the group `coordination.k8s.io`: Lease."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.columns import AGE, NAME, part, text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import LEASES
from sampan.kubernetes.machinery.causes import invalid


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    if spec.get("leaseDurationSeconds", 1) <= 0:
        yield invalid(
            "spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0"
        )
    if spec.get("leaseTransitions", 0) < 0:
        detail = "must be greater than or equal to 0"
        yield invalid("spec.leaseTransitions", spec["leaseTransitions"], detail)


LEASE = make(
    LEASES,
    rules=_rules,
    columns=(
        NAME,
        text(
            "Holder",
            lambda obj: part(obj, "spec", "holderIdentity") or "",
            about="Who holds the lease now.",
        ),
        AGE,
    ),
)
