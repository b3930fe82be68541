"""What an update of a pod may change (pkg/apis/core/validation ValidatePodUpdate): images, the
deadline, more tolerations, fewer scheduling gates, and while there are gates, a narrower place."""

from collections.abc import Iterator
from typing import Any

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import forbidden, invalid, required

_CHANGEABLE = (
    "activeDeadlineSeconds",
    "schedulingGates",
    "terminationGracePeriodSeconds",
    "tolerations",
)
_GRACE = "terminationGracePeriodSeconds"
_REFUSED = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
    "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
    "(allow it to be set to 1 if it was previously negative)"
)
_TERMS = "requiredDuringSchedulingIgnoredDuringExecution"
_ONLY_ADDITIONS = "only additions are allowed (no mutations or deletions)"


def check_pod_update(new: Object, old: Object) -> Iterator[Cause]:
    """The two specs; `new` holds to the rules of specs by itself."""
    for name in ("containers", "initContainers"):
        if len(new.get(name) or ()) != len(old.get(name) or ()):
            yield forbidden(f"spec.{name}", "pod updates may not add or remove containers")
            return
    yield from _check_deadline(new, old)
    yield from check_added_tolerations(new, old)
    yield from _check_gates(new, old)
    gated = bool(old.get("schedulingGates"))
    if gated:
        yield from _check_narrowed(new, old)
    shortened = new.get(_GRACE) == old.get(_GRACE) or (
        old.get(_GRACE, 0) < 0 and new.get(_GRACE) == 1
    )
    if not shortened or _fixed(new, gated=gated) != _fixed(old, gated=gated):
        yield forbidden("spec", _REFUSED)


def _fixed(spec: Object, *, gated: bool) -> Object:
    """What no update may change."""
    fixed: dict[str, Any] = {key: it for key, it in spec.items() if key not in _CHANGEABLE}
    for name in ("containers", "initContainers"):
        fixed[name] = [{**container, "image": ""} for container in spec.get(name) or ()]
    if gated:
        fixed.pop("nodeSelector", None)
        affinity = {**(fixed.pop("affinity", None) or {})}
        node_affinity = {**(affinity.pop("nodeAffinity", None) or {})}
        node_affinity.pop(_TERMS, None)
        fixed["affinity"] = (affinity, node_affinity)
    return fixed


def _check_deadline(new: Object, old: Object) -> Iterator[Cause]:
    """It may be set, and come nearer."""
    now, before = new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds")
    if before is None:
        return
    field = "spec.activeDeadlineSeconds"
    if now is None:
        yield invalid(field, now, "must not update from a positive integer to nil value")
    elif now > before:
        yield invalid(field, now, "must be less than or equal to previous value")


def check_added_tolerations(new: Object, old: Object) -> Iterator[Cause]:
    """Those that were there stay, but for their seconds."""
    kept = {_without_seconds(it) for it in new.get("tolerations") or ()}
    if any(_without_seconds(it) not in kept for it in old.get("tolerations") or ()):
        detail = "existing toleration can not be modified except its tolerationSeconds"
        yield forbidden("spec.tolerations", detail)


def _without_seconds(toleration: Object) -> frozenset[tuple[str, str]]:
    return frozenset(pair for pair in toleration.items() if pair[0] != "tolerationSeconds")


def _check_gates(new: Object, old: Object) -> Iterator[Cause]:
    before = {gate.get("name", "") for gate in old.get("schedulingGates") or ()}
    for gate in new.get("schedulingGates") or ():
        if gate.get("name", "") not in before:
            detail = f"only deletion is allowed, but found new scheduling gate '{gate['name']}'"
            yield forbidden("spec.schedulingGates", detail)


def _check_narrowed(new: Object, old: Object) -> Iterator[Cause]:
    """A pod that waits at a gate may be told more narrowly where to go."""
    selector = new.get("nodeSelector") or {}
    if not (old.get("nodeSelector") or {}).items() <= selector.items():
        detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        yield invalid("spec.nodeSelector", selector, detail)
    field = f"spec.affinity.nodeAffinity.{_TERMS}"
    before, now = _terms(old), _terms(new)
    if not before:
        return
    if now is None or len(now) != len(before):
        detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        yield required(f"{field}.nodeSelectorTerms", detail)
        return
    for index, (term, earlier) in enumerate(zip(now, before, strict=True)):
        path = f"{field}.nodeSelectorTerms[{index}]"
        for name in ("matchExpressions", "matchFields"):
            kept = (earlier.get(name) or []) == (term.get(name) or [])[
                : len(earlier.get(name) or ())
            ]
            if not kept:
                yield invalid(path, term, _ONLY_ADDITIONS)


def _terms(spec: Object) -> list[Object] | None:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    selector = affinity.get(_TERMS)
    return None if selector is None else selector.get("nodeSelectorTerms") or []
