"""ResourceClaim and ResourceClaimTemplate: somebody needs devices (KEP-4381)."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, part, text
from sampan.kubernetes.kinds.kind import Cause, Object, Subresource
from sampan.kubernetes.kinds.object_metadata import check_immutable, check_labels
from sampan.kubernetes.kinds.record import UPDATE_VERBS, make
from sampan.kubernetes.kinds.resource import RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from sampan.kubernetes.kinds.resource_claims.claim_spec import check_claim_spec, default_claim_spec
from sampan.kubernetes.kinds.resource_claims.claim_status import check_claim_status


def _default_claim(claim: Object) -> None:
    default_claim_spec(claim.setdefault("spec", {}))


def _default_template(template: Object) -> None:
    default_claim_spec(template.setdefault("spec", {}).setdefault("spec", {}))


def _prepare_claim(new: Object, old: Object | None) -> None:
    strategies.keep_status(new, old)
    if old is None:
        new["status"] = {}


def _claim_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    if old is None:
        yield from check_claim_spec(new.get("spec") or {}, "spec")
    else:
        yield from check_immutable(new.get("spec"), old.get("spec"), "spec")


def _template_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    if old is None:
        labels = part(new, "spec", "metadata", "labels")
        yield from check_labels(labels, "spec.metadata.labels")
        yield from check_claim_spec(part(new, "spec", "spec") or {}, "spec.spec")
    else:
        yield from check_immutable(new.get("spec"), old.get("spec"), "spec")


def _state(claim: Object) -> str:
    deleted = "deletionTimestamp" in claim["metadata"]
    states = ["deleted"] if deleted else []
    if part(claim, "status", "allocation") is None:
        states += [] if deleted else ["pending"]
    else:
        states.append("allocated")
        if part(claim, "status", "reservedFor"):
            states.append("reserved")
    return ",".join(states)


RESOURCE_CLAIM = make(
    RESOURCE_CLAIMS,
    default=_default_claim,
    prepare=_prepare_claim,
    rules=_claim_rules,
    prepare_status=strategies.only_status,
    subresources=(
        Subresource(
            "status",
            RESOURCE_CLAIMS.kind,
            RESOURCE_CLAIMS.group_version,
            UPDATE_VERBS,
            rules=check_claim_status,
        ),
    ),
    columns=(
        NAME,
        text(
            "State",
            _state,
            about="A summary of the current state (allocated, pending, reserved, etc.).",
        ),
        AGE,
    ),
)
RESOURCE_CLAIM_TEMPLATE = make(
    RESOURCE_CLAIM_TEMPLATES, default=_default_template, rules=_template_rules
)
