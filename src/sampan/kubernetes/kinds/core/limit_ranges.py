"""LimitRange: how much one pod, container or claim of a namespace may ask for."""

from collections.abc import Iterator
from decimal import Decimal

from sampan.kubernetes.kinds.columns import CREATED_AT, NAME
from sampan.kubernetes.kinds.field_rules import check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import LIMIT_RANGES
from sampan.kubernetes.machinery import names, quantities
from sampan.kubernetes.machinery.causes import duplicate, forbidden, invalid, required

# Each of these may not be more than those after it.
_ORDER = (
    ("min", "min"),
    ("defaultRequest", "default request"),
    ("default", "default"),
    ("max", "max"),
)
_ONE = Decimal(1)


def _default(limit_range: Object) -> None:
    """pkg/apis/core/v1 SetDefaults_LimitRangeItem."""
    for item in limit_range.setdefault("spec", {}).setdefault("limits", []):
        if item.get("type") != "Container":
            continue
        limits = item.setdefault("default", {})
        for name, value in (item.get("max") or {}).items():
            limits.setdefault(name, value)
        requests = item.setdefault("defaultRequest", {})
        for name, value in (*limits.items(), *(item.get("min") or {}).items()):
            requests.setdefault(name, value)
        for field in ("default", "defaultRequest"):
            if not item[field]:
                del item[field]


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    """pkg/apis/core/validation ValidateLimitRange."""
    seen: set[str] = set()
    for index, item in enumerate((new.get("spec") or {}).get("limits") or ()):
        field = f"spec.limits[{index}]"
        kind = item.get("type", "")
        yield from check_text(names.qualified_name, kind, f"{field}.type")
        if kind in seen:
            yield duplicate(f"{field}.type", kind)
        seen.add(kind)
        yield from _check_item(item, field)


def _check_item(item: Object, field: str) -> Iterator[Cause]:
    kind = item.get("type", "")
    if kind == "Pod":
        for name in ("default", "defaultRequest"):
            if item.get(name):
                yield forbidden(f"{field}.{name}", "may not be specified when `type` is 'Pod'")
    if kind == "PersistentVolumeClaim" and not any(
        "storage" in (item.get(name) or {}) for name in ("min", "max")
    ):
        detail = "either minimum or maximum storage value is required, but neither was provided"
        yield required(field, detail)
    for key in sorted({key for name, _ in _ORDER for key in item.get(name) or ()}):
        yield from _check_order(item, key, field)
    for key, ratio in (item.get("maxLimitRequestRatio") or {}).items():
        if _value(ratio) is not None and (_value(ratio) or _ONE) < _ONE:
            yield invalid(
                f"{field}.maxLimitRequestRatio[{key}]", ratio, f"ratio {ratio} is less than 1"
            )


def _check_order(item: Object, key: str, field: str) -> Iterator[Cause]:
    """Of one resource: the least, the defaults and the most, in this order."""
    given = [
        (name, shown, item[name][key], _value(item[name][key]))
        for name, shown in _ORDER
        if key in (item.get(name) or {})
    ]
    for position, (name, shown, text, value) in enumerate(given):
        for _, above, bound_text, bound in given[position + 1 :]:
            if value is not None and bound is not None and value > bound:
                detail = f"{shown} value {text} is greater than {above} value {bound_text}"
                yield invalid(f"{field}.{name}[{key}]", text, detail)


def _value(quantity: str) -> Decimal | None:
    """None for what was reported as no quantity already."""
    try:
        return quantities.parse(quantity)
    except quantities.InvalidQuantity:
        return None


LIMIT_RANGE = make(
    LIMIT_RANGES,
    default=_default,
    rules=_rules,
    short_names=("limits",),
    columns=(NAME, CREATED_AT),
)
