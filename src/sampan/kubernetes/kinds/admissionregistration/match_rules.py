"""Which requests a webhook or a policy is about (pkg/apis/admissionregistration/validation)."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.field_rules import check_choice, check_text, check_unique
from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.kinds.object_metadata import check_label_selector
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import (
    duplicate,
    invalid,
    required,
    too_many,
    unsupported,
)

FAILURE_POLICIES = ("Fail", "Ignore")
MATCH_POLICIES = ("Equivalent", "Exact")
REINVOCATION_POLICIES = ("IfNeeded", "Never")
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_MAXIMUM_CONDITIONS = 64
_OTHERS = {"apiGroups": "API groups", "apiVersions": "API versions"}


def default_rule(rule: Object) -> None:
    rule.setdefault("scope", "*")


def default_matched(matched: Object) -> None:
    """A policy's or binding's matchResources."""
    matched.setdefault("matchPolicy", "Equivalent")
    matched.setdefault("namespaceSelector", {})
    matched.setdefault("objectSelector", {})
    for key in ("resourceRules", "excludeResourceRules"):
        for rule in matched.get(key) or ():
            default_rule(rule)


def check_rule(rule: Object, field: str) -> Iterator[Cause]:
    """Operations, groups, versions and resources, each either everything or a list."""
    operations = rule.get("operations") or []
    if not operations:
        yield required(f"{field}.operations")
    if len(operations) > 1 and "*" in operations:
        detail = "if '*' is present, must not specify other operations"
        yield invalid(f"{field}.operations", operations, detail)
    for index, operation in enumerate(operations):
        if operation not in _OPERATIONS:
            yield unsupported(f"{field}.operations[{index}]", operation, _OPERATIONS)
    for key, others in _OTHERS.items():
        values = rule.get(key) or []
        if not values:
            yield required(f"{field}.{key}")
        if len(values) > 1 and "*" in values:
            detail = f"if '*' is present, must not specify other {others}"
            yield invalid(f"{field}.{key}", values, detail)
    for index, version in enumerate(rule.get("apiVersions") or ()):
        if not version:
            yield required(f"{field}.apiVersions[{index}]")
    yield from _check_resources(rule.get("resources") or [], f"{field}.resources")
    yield from check_choice(rule, "scope", _SCOPES, field)


def _check_resources(resources: list[str], field: str) -> Iterator[Cause]:
    if not resources:
        yield required(field)
    whole: set[str] = set()
    anywhere: set[str] = set()
    for index, entry in enumerate(resources):
        path = f"{field}[{index}]"
        if not entry:
            yield required(path)
        resource, slash, subresource = entry.partition("/")
        if not slash:
            continue
        if resource in whole:
            detail = f"if '{resource}/*' is present, must not specify {entry}"
            yield invalid(path, entry, detail)
        if subresource in anywhere:
            detail = f"if '*/{subresource}' is present, must not specify {entry}"
            yield invalid(path, entry, detail)
        if subresource == "*":
            whole.add(resource)
        if resource == "*":
            anywhere.add(subresource)
    if len(resources) > 1 and "*/*" in resources:
        detail = "if '*/*' is present, must not specify other resources"
        yield invalid(field, resources, detail)
    if "*" in resources and any(it and it != "*" and "/" not in it for it in resources):
        detail = "if '*' is present, must not specify other resources without subresources"
        yield invalid(field, resources, detail)


def check_matched(matched: Object, field: str) -> Iterator[Cause]:
    """A policy's or binding's matchResources."""
    yield from check_choice(matched, "matchPolicy", MATCH_POLICIES, field)
    for key in ("namespaceSelector", "objectSelector"):
        yield from check_label_selector(matched.get(key), f"{field}.{key}")
    for key in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(matched.get(key) or ()):
            path = f"{field}.{key}[{index}]"
            yield from _check_resource_names(rule.get("resourceNames") or [], path)
            yield from check_rule(rule, path)


def _check_resource_names(given: list[str], field: str) -> Iterator[Cause]:
    for index, name in enumerate(given):
        yield from check_text(names.path_segment, name, f"{field}.resourceNames[{index}]")
    yield from check_unique(given, lambda index: f"{field}.resourceNames[{index}]")


def check_conditions(conditions: list[Object], field: str) -> Iterator[Cause]:
    """Match conditions: named expressions. What they say is compiled elsewhere."""
    if len(conditions) > _MAXIMUM_CONDITIONS:
        yield too_many(field, len(conditions), _MAXIMUM_CONDITIONS)
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        path, name = f"{field}[{index}]", condition.get("name", "")
        if not condition.get("expression", "").strip():
            yield required(f"{path}.expression")
        if not name:
            yield required(f"{path}.name")
            continue
        yield from check_text(names.qualified_name, name, f"{path}.name")
        if name in seen:
            yield duplicate(f"{path}.name", name)
        seen.add(name)
