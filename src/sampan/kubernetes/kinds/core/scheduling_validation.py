"""The rules of what decides where a pod may run: selectors, tolerations, spreading, affinity."""

from collections.abc import Iterable, Iterator

from sampan.kubernetes.kinds.core.nodes import TAINT_EFFECTS
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_label_selector, check_labels
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import invalid, required, unsupported

_TOLERATION_OPERATORS = ("Equal", "Exists")
_UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
_NODE_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_REQUIRED_TERMS = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED_TERMS = "preferredDuringSchedulingIgnoredDuringExecution"


def check_placement(spec: Object, field: str) -> Iterator[Cause]:
    yield from check_labels(spec.get("nodeSelector"), f"{field}.nodeSelector")
    yield from check_tolerations(spec.get("tolerations") or (), f"{field}.tolerations")
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        yield from _check_spread(constraint, f"{field}.topologySpreadConstraints[{index}]")
    affinity = spec.get("affinity") or {}
    yield from _check_node_affinity(affinity.get("nodeAffinity") or {}, f"{field}.affinity")
    for name in ("podAffinity", "podAntiAffinity"):
        yield from _check_pod_affinity(affinity.get(name) or {}, f"{field}.affinity.{name}")


def check_tolerations(tolerations: Iterable[Object], field: str) -> Iterator[Cause]:
    for index, toleration in enumerate(tolerations):
        yield from _check_toleration(toleration, f"{field}[{index}]")


def _check_toleration(toleration: Object, field: str) -> Iterator[Cause]:
    key, operator = toleration.get("key", ""), toleration.get("operator") or "Equal"
    effect = toleration.get("effect", "")
    if key:
        for message in names.qualified_name(key):
            yield invalid(f"{field}.key", key, message)
    elif operator != "Exists":
        detail = 'operator must be Exists when `key` is empty, which means "match all values '
        yield invalid(f"{field}.operator", operator, detail + 'and all keys"')
    if operator not in _TOLERATION_OPERATORS:
        yield unsupported(f"{field}.operator", operator, _TOLERATION_OPERATORS)
    if operator == "Exists" and toleration.get("value"):
        detail = "value must be empty when `operator` is 'Exists'"
        yield invalid(f"{field}.operator", toleration["value"], detail)
    if effect and effect not in TAINT_EFFECTS:
        yield unsupported(f"{field}.effect", effect, TAINT_EFFECTS)
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        yield invalid(f"{field}.effect", effect, detail)


def _check_spread(constraint: Object, field: str) -> Iterator[Cause]:
    if constraint.get("maxSkew", 1) <= 0:
        yield invalid(f"{field}.maxSkew", constraint["maxSkew"], "must be greater than zero")
    if not constraint.get("topologyKey"):
        yield required(f"{field}.topologyKey", "can not be empty")
    choice = constraint.get("whenUnsatisfiable", "")
    if choice not in _UNSATISFIABLE:
        yield unsupported(f"{field}.whenUnsatisfiable", choice, _UNSATISFIABLE)
    yield from check_label_selector(constraint.get("labelSelector"), f"{field}.labelSelector")


def _check_node_affinity(affinity: Object, field: str) -> Iterator[Cause]:
    field = f"{field}.nodeAffinity"
    needed = affinity.get(_REQUIRED_TERMS)
    if needed is not None:
        path = f"{field}.{_REQUIRED_TERMS}.nodeSelectorTerms"
        if not needed.get("nodeSelectorTerms"):
            yield required(path, "must have at least one node selector term")
        for index, term in enumerate(needed.get("nodeSelectorTerms") or ()):
            yield from _check_node_term(term, f"{path}[{index}]")
    for index, choice in enumerate(affinity.get(_PREFERRED_TERMS) or ()):
        path = f"{field}.{_PREFERRED_TERMS}[{index}]"
        yield from _check_weight(choice, path)
        yield from _check_node_term(choice.get("preference") or {}, f"{path}.preference")


def _check_node_term(term: Object, field: str) -> Iterator[Cause]:
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        path = f"{field}.matchExpressions[{index}]"
        operator, values = expression.get("operator", ""), expression.get("values") or ()
        if operator not in _NODE_OPERATORS:
            yield invalid(f"{path}.operator", operator, "not a valid selector operator")
        elif operator in ("In", "NotIn") and not values:
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            yield required(f"{path}.values", detail)
        elif operator in ("Gt", "Lt") and len(values) != 1:
            detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            yield required(f"{path}.values", detail)
        for message in names.qualified_name(expression.get("key", "")):
            yield invalid(f"{path}.key", expression.get("key", ""), message)


def _check_weight(choice: Object, field: str) -> Iterator[Cause]:
    if not 1 <= choice.get("weight", 1) <= 100:
        yield invalid(f"{field}.weight", choice["weight"], "must be in the range 1-100")


def _check_pod_affinity(affinity: Object, field: str) -> Iterator[Cause]:
    for index, term in enumerate(affinity.get(_REQUIRED_TERMS) or ()):
        yield from _check_pod_term(term, f"{field}.{_REQUIRED_TERMS}[{index}]")
    for index, choice in enumerate(affinity.get(_PREFERRED_TERMS) or ()):
        path = f"{field}.{_PREFERRED_TERMS}[{index}]"
        yield from _check_weight(choice, path)
        yield from _check_pod_term(choice.get("podAffinityTerm") or {}, f"{path}.podAffinityTerm")


def _check_pod_term(term: Object, field: str) -> Iterator[Cause]:
    if not term.get("topologyKey"):
        yield required(f"{field}.topologyKey", "can not be empty")
    yield from check_label_selector(term.get("labelSelector"), f"{field}.labelSelector")
