"""The rules of affinity: which nodes and which pods a pod wants to be with."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.field_rules import check_text
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_label_selector
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import forbidden, invalid, required

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_VALUED = ("In", "NotIn")
_REQUIRED_TERMS = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED_TERMS = "preferredDuringSchedulingIgnoredDuringExecution"


def check_affinity(affinity: Object, field: str) -> Iterator[Cause]:
    yield from _check_node_affinity(affinity.get("nodeAffinity") or {}, f"{field}.nodeAffinity")
    for name in ("podAffinity", "podAntiAffinity"):
        yield from _check_pod_affinity(affinity.get(name) or {}, f"{field}.{name}")


def _check_node_affinity(affinity: Object, field: str) -> Iterator[Cause]:
    if affinity.get(_REQUIRED_TERMS) is not None:
        yield from check_node_selector(affinity[_REQUIRED_TERMS], f"{field}.{_REQUIRED_TERMS}")
    for index, choice in enumerate(affinity.get(_PREFERRED_TERMS) or ()):
        path = f"{field}.{_PREFERRED_TERMS}[{index}]"
        yield from _check_weight(choice, path)
        yield from _check_node_term(choice.get("preference") or {}, f"{path}.preference")


def check_node_selector(selector: Object, field: str) -> Iterator[Cause]:
    """A core/v1 NodeSelector: at least one term."""
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        detail = "must have at least one node selector term"
        yield required(f"{field}.nodeSelectorTerms", detail)
    for index, term in enumerate(terms):
        yield from _check_node_term(term, f"{field}.nodeSelectorTerms[{index}]")


def _check_node_term(term: Object, field: str) -> Iterator[Cause]:
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        path = f"{field}.matchExpressions[{index}]"
        yield from _check_operator(expression, path)
        yield from check_text(names.qualified_name, expression.get("key", ""), f"{path}.key")
    for index, expression in enumerate(term.get("matchFields") or ()):
        yield from _check_field(expression, f"{field}.matchFields[{index}]")


def _check_operator(expression: Object, field: str) -> Iterator[Cause]:
    operator, values = expression.get("operator", ""), expression.get("values") or ()
    if operator not in _OPERATORS:
        yield invalid(f"{field}.operator", operator, "not a valid selector operator")
    elif operator in _VALUED and not values:
        detail = "must be specified when `operator` is 'In' or 'NotIn'"
        yield required(f"{field}.values", detail)
    elif operator in ("Exists", "DoesNotExist") and values:
        detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        yield forbidden(f"{field}.values", detail)
    elif operator in ("Gt", "Lt") and len(values) != 1:
        detail = "must be specified single value when `operator` is 'Lt' or 'Gt'"
        yield required(f"{field}.values", detail)


def _check_field(expression: Object, field: str) -> Iterator[Cause]:
    """A requirement on a field of nodes: their name, which is one of one."""
    operator, values = expression.get("operator", ""), expression.get("values") or ()
    if operator not in _VALUED:
        yield invalid(f"{field}.operator", operator, "not a valid selector operator")
    elif len(values) != 1:
        detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        yield required(f"{field}.values", detail)
    if expression.get("key") != "metadata.name":
        yield invalid(f"{field}.key", expression.get("key", ""), "not a valid field selector key")
    else:
        for index, value in enumerate(values):
            yield from check_text(names.subdomain, value, f"{field}.values[{index}]")


def _check_weight(choice: Object, field: str) -> Iterator[Cause]:
    if not 1 <= choice.get("weight", 0) <= 100:
        yield invalid(f"{field}.weight", choice.get("weight", 0), "must be in the range 1-100")


def _check_pod_affinity(affinity: Object, field: str) -> Iterator[Cause]:
    for index, term in enumerate(affinity.get(_REQUIRED_TERMS) or ()):
        yield from _check_pod_term(term, f"{field}.{_REQUIRED_TERMS}[{index}]")
    for index, choice in enumerate(affinity.get(_PREFERRED_TERMS) or ()):
        path = f"{field}.{_PREFERRED_TERMS}[{index}]"
        yield from _check_weight(choice, path)
        yield from _check_pod_term(choice.get("podAffinityTerm") or {}, f"{path}.podAffinityTerm")


def _check_pod_term(term: Object, field: str) -> Iterator[Cause]:
    yield from check_label_selector(term.get("labelSelector"), f"{field}.labelSelector")
    yield from check_label_selector(term.get("namespaceSelector"), f"{field}.namespaceSelector")
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        yield from check_label_keys(term, name, field)
    for namespace in term.get("namespaces") or ():
        for message in names.label(namespace):
            yield invalid(f"{field}.namespace", namespace, message)
    if not term.get("topologyKey"):
        yield required(f"{field}.topologyKey", "can not be empty")
    else:
        yield from check_text(names.qualified_name, term["topologyKey"], f"{field}.topologyKey")


def check_label_keys(term: Object, name: str, field: str) -> Iterator[Cause]:
    """Keys of labels whose values the pod itself brings; they add to a selector."""
    keys = term.get(name) or ()
    if keys and term.get("labelSelector") is None:
        yield forbidden(f"{field}.{name}", "must not be specified when labelSelector is not set")
    for index, key in enumerate(keys):
        yield from check_text(names.qualified_name, key, f"{field}.{name}[{index}]")
