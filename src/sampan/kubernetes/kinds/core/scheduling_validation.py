"""The rules of what decides where a pod may run: selectors, tolerations, spreading, gates.

Those of affinity are in `affinity_validation`.
"""

from collections.abc import Iterable, Iterator

from sampan.kubernetes.kinds.core.affinity_validation import check_affinity, check_label_keys
from sampan.kubernetes.kinds.core.nodes import TAINT_EFFECTS
from sampan.kubernetes.kinds.field_rules import check_choice, check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_label_selector, check_labels
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import duplicate, invalid, required, unsupported

_TOLERATION_OPERATORS = ("Equal", "Exists")
_UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
_INCLUSION = ("Honor", "Ignore")


def check_placement(spec: Object, field: str) -> Iterator[Cause]:
    if "nodeSelector" in spec:
        yield from check_labels(spec["nodeSelector"], f"{field}.nodeSelector")
    if "tolerations" in spec:
        yield from check_tolerations(spec["tolerations"], f"{field}.tolerations")
    if "topologySpreadConstraints" in spec:
        path = f"{field}.topologySpreadConstraints"
        yield from _check_spreading(spec["topologySpreadConstraints"], path)
    if "affinity" in spec:
        yield from check_affinity(spec["affinity"], f"{field}.affinity")
    if "schedulingGates" in spec:
        yield from _check_gates(spec["schedulingGates"], f"{field}.schedulingGates")


def check_tolerations(tolerations: Iterable[Object], field: str) -> Iterator[Cause]:
    for index, toleration in enumerate(tolerations):
        yield from _check_toleration(toleration, f"{field}[{index}]")


def _check_toleration(toleration: Object, field: str) -> Iterator[Cause]:
    key, operator = toleration.get("key", ""), toleration.get("operator") or "Equal"
    effect = toleration.get("effect", "")
    if key:
        yield from check_text(names.qualified_name, key, f"{field}.key")
    elif operator != "Exists":
        detail = 'operator must be Exists when `key` is empty, which means "match all values '
        yield invalid(f"{field}.operator", operator, detail + 'and all keys"')
    value = toleration.get("value", "")
    if operator not in _TOLERATION_OPERATORS:
        yield unsupported(f"{field}.operator", operator, _TOLERATION_OPERATORS)
    elif operator == "Exists" and value:
        detail = "value must be empty when `operator` is 'Exists'"
        yield invalid(f"{field}.operator", value, detail)
    elif value:
        yield from check_text(names.label_value, value, f"{field}.operator")
    if effect and effect not in TAINT_EFFECTS:
        yield unsupported(f"{field}.effect", effect, TAINT_EFFECTS)
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        yield invalid(f"{field}.effect", effect, detail)


def _check_spreading(constraints: list[Object], field: str) -> Iterator[Cause]:
    seen: set[tuple[str, str]] = set()
    for index, constraint in enumerate(constraints):
        path = f"{field}[{index}]"
        yield from _check_spread(constraint, path)
        pair = constraint.get("topologyKey", ""), constraint.get("whenUnsatisfiable", "")
        if pair in seen:
            shown = "{" + ", ".join(pair) + "}"
            yield duplicate(f"{path}.{{topologyKey, whenUnsatisfiable}}", shown)
        seen.add(pair)


def _check_spread(constraint: Object, field: str) -> Iterator[Cause]:
    if constraint.get("maxSkew", 0) <= 0:
        skew = constraint.get("maxSkew", 0)
        yield invalid(f"{field}.maxSkew", skew, "must be greater than zero")
    key = constraint.get("topologyKey", "")
    if not key:
        yield required(f"{field}.topologyKey", "can not be empty")
    else:
        yield from check_text(names.qualified_name, key, f"{field}.topologyKey")
    choice = constraint.get("whenUnsatisfiable", "")
    if choice not in _UNSATISFIABLE:
        yield unsupported(f"{field}.whenUnsatisfiable", choice, _UNSATISFIABLE)
    least = constraint.get("minDomains")
    if least is not None and least <= 0:
        yield invalid(f"{field}.minDomains", least, "must be greater than 0")
    elif least is not None and choice != "DoNotSchedule":
        detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {choice}"
        yield invalid(f"{field}.minDomains", least, detail)
    for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        yield from check_choice(constraint, name, _INCLUSION, field)
    yield from check_label_selector(constraint.get("labelSelector"), f"{field}.labelSelector")
    yield from check_label_keys(constraint, "matchLabelKeys", field)


def _check_gates(gates: list[Object], field: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        name = gate.get("name", "")
        yield from check_text(names.qualified_name, name, f"{field}[{index}]")
        if name in seen:
            yield duplicate(f"{field}[{index}]", name)
        seen.add(name)
