"""FlowSchema: which requests belong to which priority level (pkg/apis/flowcontrol/validation)."""

from collections.abc import Iterator

from sampan.kubernetes.kinds import strategies
from sampan.kubernetes.kinds.columns import AGE, NAME, NONE, part, text
from sampan.kubernetes.kinds.field_rules import check_required_text, check_text
from sampan.kubernetes.kinds.flowcontrol import mandatory
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import FLOW_SCHEMAS
from sampan.kubernetes.machinery import conditions, names
from sampan.kubernetes.machinery.causes import duplicate, forbidden, invalid, required, unsupported

_DEFAULT_PRECEDENCE = 1000
_HIGHEST_PRECEDENCE = 10000
_DISTINGUISHERS = ("ByNamespace", "ByUser")
_SUBJECTS = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}
_VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "proxy",
    "update",
    "watch",
)
_MISSING = {
    "verbs": "verbs must contain at least one value",
    "apiGroups": "resource rules must supply at least one api group",
    "resources": "resource rules must supply at least one resource",
    "nonResourceURLs": "nonResourceURLs must contain at least one value",
}
_OTHERS = {
    "verbs": "verbs",
    "apiGroups": "api groups",
    "resources": "resources",
    "namespaces": "namespaces",
    "nonResourceURLs": "non-resource URLs",
}
_NO_NAMESPACE = "resource rules that are not cluster scoped must supply at least one namespace"
_NAMESPACE_FORM = "each member of this list must be '*' or a DNS-1123 label; "
_NO_RULES = "at least one of resourceRules and nonResourceRules has to be non-empty"


def _default(schema: Object) -> None:
    spec = schema.setdefault("spec", {})
    if not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = _DEFAULT_PRECEDENCE


def _rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    spec, name = new.get("spec") or {}, new["metadata"].get("name", "")
    yield from _check_precedence(spec.get("matchingPrecedence", _DEFAULT_PRECEDENCE), name)
    method = part(spec, "distinguisherMethod", "type")
    if method is not None and method not in _DISTINGUISHERS:
        yield unsupported("spec.distinguisherMethod.type", method, _DISTINGUISHERS)
    field = "spec.priorityLevelConfiguration.name"
    level = part(spec, "priorityLevelConfiguration", "name") or ""
    if not level:
        yield required(field, "must reference a priority level")
    else:
        yield from check_text(names.subdomain, level, field)
    for index, rule in enumerate(spec.get("rules") or ()):
        yield from _check_rule(rule, f"spec.rules[{index}]")
    fixed = mandatory.flow_schemas().get(name)
    if fixed is not None and spec != fixed:
        yield invalid("spec", spec, f"spec of '{name}' must equal the fixed value")
    yield from check_condition_types(part(new, "status", "conditions") or [])


def check_condition_types(given: list[Object]) -> Iterator[Cause]:
    """The conditions of a status: each has a type, and no type comes twice."""
    seen: set[str] = set()
    for index, condition in enumerate(given):
        field, kind = f"status.conditions[{index}].type", condition.get("type", "")
        if kind in seen:
            yield duplicate(field, kind)
        seen.add(kind)
        if not kind:
            yield required(field, "must not be empty")


def _check_precedence(precedence: int, name: str) -> Iterator[Cause]:
    field = "spec.matchingPrecedence"
    if precedence <= 0:
        yield invalid(field, precedence, "must be a positive value")
    if precedence > _HIGHEST_PRECEDENCE:
        yield invalid(field, precedence, f"must not be greater than {_HIGHEST_PRECEDENCE}")
    if precedence == 1 and name != mandatory.EXEMPT:
        detail = "only the schema named 'exempt' may have matchingPrecedence 1"
        yield invalid(field, precedence, detail)


def _check_rule(rule: Object, field: str) -> Iterator[Cause]:
    subjects = rule.get("subjects") or []
    if not subjects:
        yield required(f"{field}.subjects", "subjects must contain at least one value")
    for index, subject in enumerate(subjects):
        yield from _check_subject(subject, f"{field}.subjects[{index}]")
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        yield required(field, _NO_RULES)
    for index, entry in enumerate(rule.get("resourceRules") or ()):
        yield from _check_resource_rule(entry, f"{field}.resourceRules[{index}]")
    for index, entry in enumerate(rule.get("nonResourceRules") or ()):
        path = f"{field}.nonResourceRules[{index}]"
        yield from _check_verbs(entry, path)
        yield from _check_list(entry, "nonResourceURLs", path)
        for position, url in enumerate(entry.get("nonResourceURLs") or ()):
            yield from _check_url(url, f"{path}.nonResourceURLs[{position}]")


def _check_subject(subject: Object, field: str) -> Iterator[Cause]:
    kind = subject.get("kind", "")
    if kind not in _SUBJECTS:
        yield unsupported(f"{field}.kind", kind, _SUBJECTS)
        return
    for other, member in _SUBJECTS.items():
        path = f"{field}.{member}"
        if other == kind and member not in subject:
            yield required(path, f"{member} is required when subject kind is '{kind}'")
        elif other != kind and member in subject:
            detail = f"{member} is forbidden when subject kind is not '{other}'"
            yield forbidden(path, detail)
        elif other == kind and kind == "ServiceAccount":
            yield from _check_account(subject[member], path)
        elif other == kind and not subject[member].get("name"):
            yield required(f"{path}.name")


def _check_account(account: Object, field: str) -> Iterator[Cause]:
    if account.get("name") != "*":
        yield from check_required_text(account, "name", field, names.subdomain)
    if not account.get("namespace"):
        yield required(f"{field}.namespace", "must specify namespace for service account")
    else:
        yield from check_text(names.label, account["namespace"], f"{field}.namespace")


def _check_list(rule: Object, key: str, field: str) -> Iterator[Cause]:
    """Something must be there, and beside `*` nothing else."""
    values = rule.get(key) or []
    if not values and key in _MISSING:
        yield required(f"{field}.{key}", _MISSING[key])
    elif len(values) > 1 and "*" in values:
        detail = f"if '*' is present, must not specify other {_OTHERS[key]}"
        yield invalid(f"{field}.{key}", values, detail)


def _check_verbs(rule: Object, field: str) -> Iterator[Cause]:
    yield from _check_list(rule, "verbs", field)
    verbs = rule.get("verbs") or []
    if "*" not in verbs and not set(verbs) <= set(_VERBS):
        yield unsupported(f"{field}.verbs", verbs, _VERBS)


def _check_resource_rule(rule: Object, field: str) -> Iterator[Cause]:
    yield from _check_verbs(rule, field)
    for key in ("apiGroups", "resources", "namespaces"):
        yield from _check_list(rule, key, field)
    namespaces = rule.get("namespaces") or []
    if not namespaces and not rule.get("clusterScope"):
        yield required(f"{field}.namespaces", _NO_NAMESPACE)
    for index, namespace in enumerate(namespaces):
        for message in names.label(namespace) if "*" not in namespaces else ():
            yield invalid(f"{field}.namespaces[{index}]", namespace, _NAMESPACE_FORM + message)


def _check_url(url: str, field: str) -> Iterator[Cause]:
    if not url:
        yield invalid(field, url, "must not be empty")
    elif url in ("/", "*"):
        return
    elif not url.startswith("/"):
        yield invalid(field, url, "must start with slash")
    elif " " in url:
        yield invalid(field, url, "must not contain white-space")
    elif "//" in url:
        yield invalid(field, url, "must not contain double slash")
    elif "*" in url[:-1] or (url.endswith("*") and not url.endswith("/*")):
        yield invalid(field, url, "wildcard can only do suffix matching")


def _dangling(schema: Object) -> str:
    condition = conditions.find(part(schema, "status", "conditions"), "Dangling")
    return "?" if condition is None else str(condition.get("status", ""))


FLOW_SCHEMA = make(
    FLOW_SCHEMAS,
    default=_default,
    prepare=strategies.keep_status_count_generation,
    rules=_rules,
    prepare_status=strategies.only_status,
    status=True,
    columns=(
        NAME,
        text(
            "PriorityLevel",
            lambda obj: part(obj, "spec", "priorityLevelConfiguration", "name") or "",
            about="The priority level of the requests.",
        ),
        text(
            "MatchingPrecedence",
            lambda obj: part(obj, "spec", "matchingPrecedence") or 0,
            about="Of the schemas that match, that with the lowest number is chosen.",
        ),
        text(
            "DistinguisherMethod",
            lambda obj: part(obj, "spec", "distinguisherMethod", "type") or NONE,
            about="What tells one flow of requests from another.",
        ),
        AGE,
        text(
            "MissingPL",
            _dangling,
            about="references a broken or non-existent PriorityLevelConfiguration",
        ),
    ),
)
