"""PodDisruptionBudget: how many pods must stay when others are moved."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, number, part, text
from sampan.kubernetes.kinds.field_rules import check_choice
from sampan.kubernetes.kinds.int_or_percent import check_at_most_all, check_int_or_percent
from sampan.kubernetes.kinds.kind import Cause, Column, Object
from sampan.kubernetes.kinds.object_metadata import check_label_selector
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import POD_DISRUPTION_BUDGETS
from sampan.kubernetes.machinery.causes import invalid

_EVICTION_POLICIES = ("AlwaysAllow", "IfHealthyBudget")
_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def _prepare(new: Object, old: Object | None) -> None:
    strategies.keep_status_count_generation(new, old)
    if old is None:
        new["status"] = dict.fromkeys(_COUNTS, 0)


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    """pkg/apis/policy/validation ValidatePodDisruptionBudgetSpec."""
    spec = new.get("spec") or {}
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for name in ("minAvailable", "maxUnavailable"):
        if name in spec:
            yield from check_int_or_percent(spec[name], f"spec.{name}")
            yield from check_at_most_all(spec[name], f"spec.{name}")
    yield from check_label_selector(spec.get("selector"), "spec.selector")
    yield from check_choice(spec, "unhealthyPodEvictionPolicy", _EVICTION_POLICIES, "spec")


def _bound(name: str, key: str, about: str) -> Column:
    def cell(budget: Object) -> str:
        value = part(budget, "spec", key)
        return "N/A" if value is None else str(value)

    return text(name, cell, about=about)


POD_DISRUPTION_BUDGET = make(
    POD_DISRUPTION_BUDGETS,
    rules=_rules,
    prepare=_prepare,
    status=True,
    short_names=("pdb",),
    columns=(
        NAME,
        _bound("Min Available", "minAvailable", "The minimum number of pods that must be there."),
        _bound("Max Unavailable", "maxUnavailable", "The maximum number of pods that may be gone."),
        number(
            "Allowed Disruptions",
            lambda it: part(it, "status", "disruptionsAllowed") or 0,
            about="Pods that may be evicted now.",
        ),
        AGE,
    ),
)
