"""The kind of the group `coordination.k8s.io`: Lease."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.columns import AGE, NAME, part, text
from sampan.kubernetes.kinds.field_rules import check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import LEASES
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import forbidden, invalid

_OLDEST = "OldestEmulationVersion"


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    if spec.get("leaseDurationSeconds", 1) <= 0:
        yield invalid(
            "spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0"
        )
    if spec.get("leaseTransitions", 0) < 0:
        detail = "must be greater than or equal to 0"
        yield invalid("spec.leaseTransitions", spec["leaseTransitions"], detail)
    strategy = spec.get("strategy")
    if strategy and strategy != _OLDEST:
        yield from _check_strategy(strategy, "spec.strategy")
    if spec.get("preferredHolder") and not strategy:
        detail = "may only be specified when `strategy` is defined"
        yield forbidden("spec.preferredHolder", detail)


def _check_strategy(strategy: str, field: str) -> Iterator[Cause]:
    """A strategy of one's own has a name with a domain (KEP-4355)."""
    if "/" not in strategy:
        detail = "must be a known strategy or one with a domain prefix"
        yield invalid(field, strategy, f"{detail} (such as example.com/mine)")
    else:
        yield from check_text(names.qualified_name, strategy, field)


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
