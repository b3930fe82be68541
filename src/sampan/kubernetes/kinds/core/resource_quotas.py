"""ResourceQuota: how much all of a namespace may ask for together."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, part, text
from sampan.kubernetes.kinds.field_rules import check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_immutable
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import RESOURCE_QUOTAS
from sampan.kubernetes.machinery import names, quantities
from sampan.kubernetes.machinery.causes import invalid, required

_COUNTED = frozenset(
    (
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    )
)
_OF_PODS = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "requests.", "limits.")
    for name in ("cpu", "memory", "ephemeral-storage")
)
_STANDARD = _COUNTED | _OF_PODS | {"requests.storage"}
_HUGE_PAGES = ("hugepages-", "requests.hugepages-")
_SCOPES = frozenset(
    (
        "BestEffort",
        "CrossNamespacePodAffinity",
        "NotBestEffort",
        "NotTerminating",
        "PriorityClass",
        "Terminating",
        "VolumeAttributesClass",
    )
)
_CONFLICTS = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_VALUED = ("In", "NotIn")
_OPERATORS = (*_VALUED, "Exists", "DoesNotExist")
_CLAIMS = "persistentvolumeclaims"


def _prepare(new: Object, old: Object | None) -> None:
    strategies.keep_status(new, old)
    if old is None:
        new["status"] = {}


def _rules(new: Object, old: Object | None) -> Iterator[Cause]:
    """pkg/apis/core/validation ValidateResourceQuota and ValidateResourceQuotaUpdate."""
    spec = new.get("spec") or {}
    for name, quantity in (spec.get("hard") or {}).items():
        yield from _check_resource(name, quantity, f"spec.hard[{name}]")
    scopes = spec.get("scopes") or []
    yield from _check_scopes(scopes, spec, "spec.scopes")
    expressions = (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    field = "spec.scopeSelector.matchExpressions"
    for index, expression in enumerate(expressions):
        yield from _check_expression(expression, f"{field}[{index}]")
    yield from _check_scopes([it.get("scopeName", "") for it in expressions], spec, field)
    if old is not None:
        before = set((old.get("spec") or {}).get("scopes") or ())
        if before != set(scopes):
            yield from check_immutable(scopes, sorted(before), "spec.scopes")


def _check_resource(name: str, quantity: str, field: str) -> Iterator[Cause]:
    yield from check_text(names.qualified_name, name, field)
    if "/" not in name and name not in _STANDARD and not name.startswith(_HUGE_PAGES):
        yield invalid(field, name, "must be a standard resource for quota")
    try:
        value = quantities.parse(quantity)
    except quantities.InvalidQuantity:
        return
    if value < 0:
        yield invalid(field, quantity, "must be greater than or equal to 0")
    if name in _COUNTED and value != value.to_integral_value():
        yield invalid(field, quantity, "must be an integer")


def _check_scopes(scopes: list[str], spec: Object, field: str) -> Iterator[Cause]:
    if not _SCOPES.issuperset(scopes):
        yield invalid(field, scopes, "unsupported scope")
    for scope in _SCOPES.intersection(scopes):
        if not all(_scope_fits(scope, name) for name in spec.get("hard") or ()):
            yield invalid(field, scopes, "unsupported scope applied to resource")
    for first, second in _CONFLICTS:
        if first in scopes and second in scopes:
            yield invalid(field, scopes, "conflicting scopes")


def _scope_fits(scope: str, name: str) -> bool:
    """Scopes are of pods and, one of them, of claims; they limit nothing else."""
    if scope == "VolumeAttributesClass":
        return name == _CLAIMS or name.endswith("requests.storage") or "count/" in name
    if scope == "BestEffort":
        return name == "pods"
    return name == "pods" or name in _OF_PODS or name.startswith(_HUGE_PAGES) or "/" in name


def _check_expression(expression: Object, field: str) -> Iterator[Cause]:
    operator, values = expression.get("operator", ""), expression.get("values") or ()
    scope = expression.get("scopeName", "")
    if operator in _VALUED:
        if not values:
            detail = (
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            )
            yield required(f"{field}.values", detail)
    elif operator not in _OPERATORS:
        yield invalid(f"{field}.operator", operator, "not a valid selector operator")
    elif values:
        detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
        yield invalid(f"{field}.values", list(values), detail)
    if scope not in ("PriorityClass", "VolumeAttributesClass") and operator in (
        *_VALUED,
        "DoesNotExist",
    ):
        detail = (
            "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, "
            "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
            "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
        )
        yield invalid(f"{field}.operator", operator, detail)


def _used(quota: Object, *, limits: bool) -> str:
    """`cpu: 1/4, memory: 1Gi/8Gi`."""
    hard, used = part(quota, "status", "hard") or {}, part(quota, "status", "used") or {}
    return ", ".join(
        f"{name}: {used.get(name, 0)}/{hard[name]}"
        for name in sorted(hard)
        if name.startswith("limits") is limits
    )


RESOURCE_QUOTA = make(
    RESOURCE_QUOTAS,
    rules=_rules,
    prepare=_prepare,
    status=True,
    short_names=("quota",),
    columns=(
        NAME,
        text("Request", lambda it: _used(it, limits=False), about="What is used, of how much."),
        text("Limit", lambda it: _used(it, limits=True), about="The limits in use, of how much."),
        AGE,
    ),
)
