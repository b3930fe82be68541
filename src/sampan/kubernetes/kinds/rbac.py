"""The kinds of the group `rbac.authorization.k8s.io`: roles and their bindings."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.columns import AGE, CREATED_AT, NAME, part, text
from sampan.kubernetes.kinds.kind import Cause, Kind, Object
from sampan.kubernetes.kinds.object_metadata import check_label_selector
from sampan.kubernetes.kinds.record import make
from sampan.kubernetes.kinds.resource import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    Resource,
)
from sampan.kubernetes.machinery import names
from sampan.kubernetes.machinery.causes import forbidden, invalid, required, unsupported

GROUP = "rbac.authorization.k8s.io"
_ACCOUNT = "ServiceAccount"
_SUBJECT_KINDS = (_ACCOUNT, "User", "Group")


def _check_rules(role: Object, *, namespaced: bool) -> Iterator[Cause]:
    for index, rule in enumerate(role.get("rules") or ()):
        field = f"rules[{index}]"
        if not rule.get("verbs"):
            yield required(f"{field}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            if namespaced:
                detail = "namespaced rules cannot apply to non-resource URLs"
                yield invalid(f"{field}.nonResourceURLs", rule["nonResourceURLs"], detail)
            if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
                detail = "rules cannot apply to both regular resources and non-resource URLs"
                yield invalid(f"{field}.nonResourceURLs", rule["nonResourceURLs"], detail)
            continue
        for name in ("apiGroups", "resources"):
            if not rule.get(name):
                detail = f"resource rules must supply at least one {_SINGULAR[name]}"
                yield required(f"{field}.{name}", detail)


_SINGULAR = {"apiGroups": "api group", "resources": "resource"}


def _role_rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    return _check_rules(new, namespaced=True)


def _cluster_role_rules(new: Object, _old: Object | None) -> Iterator[Cause]:
    yield from _check_rules(new, namespaced=False)
    chosen = part(new, "aggregationRule", "clusterRoleSelectors")
    if "aggregationRule" in new and not chosen:
        detail = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        yield required("aggregationRule.clusterRoleSelectors", detail)
    for index, selector in enumerate(chosen or ()):
        field = f"aggregationRule.clusterRoleSelectors[{index}]"
        yield from check_label_selector(selector, field)


def _default_binding(binding: Object) -> None:
    reference = binding.get("roleRef")
    if isinstance(reference, dict) and not reference.get("apiGroup"):
        reference["apiGroup"] = GROUP
    for subject in binding.get("subjects") or ():
        if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
            subject["apiGroup"] = GROUP


def _binding_rules(new: Object, old: Object | None) -> Iterator[Cause]:
    reference = new.get("roleRef") or {}
    roles = ("ClusterRole",) if new.get("kind") == "ClusterRoleBinding" else ("ClusterRole", "Role")
    if reference.get("apiGroup", GROUP) != GROUP:
        yield unsupported("roleRef.apiGroup", reference["apiGroup"], (GROUP,))
    if reference.get("kind", "") not in roles:
        yield unsupported("roleRef.kind", reference.get("kind", ""), roles)
    if not reference.get("name"):
        yield required("roleRef.name")
    else:
        for message in names.path_segment(reference["name"]):
            yield invalid("roleRef.name", reference["name"], message)
    for index, subject in enumerate(new.get("subjects") or ()):
        yield from _check_subject(subject, f"subjects[{index}]")
    if old is not None and old.get("roleRef") != new.get("roleRef"):
        yield invalid("roleRef", reference, "cannot change roleRef")


def _check_subject(subject: Object, field: str) -> Iterator[Cause]:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if not name:
        yield required(f"{field}.name")
    if kind not in _SUBJECT_KINDS:
        yield unsupported(f"{field}.kind", kind, _SUBJECT_KINDS)
        return
    group = "" if kind == _ACCOUNT else GROUP
    if subject.get("apiGroup", "") != group:
        yield unsupported(f"{field}.apiGroup", subject.get("apiGroup", ""), (group,))
    if kind == _ACCOUNT:
        for message in names.subdomain(name) if name else ():
            yield invalid(f"{field}.name", name, message)
        if not subject.get("namespace"):
            yield required(f"{field}.namespace")
    elif subject.get("namespace"):
        yield forbidden(f"{field}.namespace", f"may not be set for a {kind}")


def _role(binding: Object) -> str:
    return f"{part(binding, 'roleRef', 'kind')}/{part(binding, 'roleRef', 'name')}"


def _subjects(binding: Object, kind: str) -> str:
    chosen = [it for it in binding.get("subjects") or () if it.get("kind") == kind]
    if kind == _ACCOUNT:
        return ", ".join(f"{it.get('namespace', '')}/{it['name']}" for it in chosen)
    return ", ".join(it["name"] for it in chosen)


_BINDING_COLUMNS = (
    NAME,
    text("Role", _role, about="The role that is granted."),
    AGE,
    text("Users", lambda obj: _subjects(obj, "User"), 1, "Users it is granted to."),
    text("Groups", lambda obj: _subjects(obj, "Group"), 1, "Groups it is granted to."),
    text("ServiceAccounts", lambda obj: _subjects(obj, _ACCOUNT), 1, "Accounts it is granted to."),
)


def _binding(resource: Resource) -> Kind:
    return make(
        resource,
        default=_default_binding,
        rules=_binding_rules,
        name_form="path-segment",
        columns=_BINDING_COLUMNS,
    )


ROLE = make(ROLES, rules=_role_rules, name_form="path-segment", columns=(NAME, CREATED_AT))
CLUSTER_ROLE = make(
    CLUSTER_ROLES, rules=_cluster_role_rules, name_form="path-segment", columns=(NAME, CREATED_AT)
)
ROLE_BINDING = _binding(ROLE_BINDINGS)
CLUSTER_ROLE_BINDING = _binding(CLUSTER_ROLE_BINDINGS)
