"""The default roles and their bindings (upstream's bootstrap policy, and what Sampan adds).

A role or binding that people changed keeps what they added and gets back what it lacks, unless
its annotation says that it shall be left alone.
"""

from collections.abc import Iterator
from importlib import resources
from typing import Any

import msgspec

from sampan.control.api.authorization.rules import PolicyRule, uncovered
from sampan.control.api.bootstrap.standing import Renewal, Standing, named
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.rbac import GROUP
from sampan.kubernetes.kinds.resource import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    Resource,
)

_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_ACCOUNT = "ServiceAccount"


class _Role(msgspec.Struct, rename="camel"):
    name: str
    namespace: str = ""
    labels: dict[str, str] = {}
    rules: list[dict[str, Any]] = []
    aggregation_rule: dict[str, Any] | None = None


class _Binding(msgspec.Struct):
    name: str
    role: str
    subjects: list[dict[str, str]]
    namespace: str = ""


class _Defaults(msgspec.Struct, rename="camel"):
    cluster_roles: list[_Role]
    cluster_role_bindings: list[_Binding]
    roles: list[_Role]
    role_bindings: list[_Binding]


def standing_roles() -> Iterator[Standing]:
    packed = resources.files(__package__).joinpath("roles.json").read_bytes()
    defaults = msgspec.json.decode(packed, type=_Defaults)
    for role in defaults.cluster_roles:
        yield _standing_role(CLUSTER_ROLES, role)
    for role in defaults.roles:
        yield _standing_role(ROLES, role)
    for binding in defaults.cluster_role_bindings:
        yield _standing_binding(CLUSTER_ROLE_BINDINGS, binding, "ClusterRole")
    for binding in defaults.role_bindings:
        yield _standing_binding(ROLE_BINDINGS, binding, "Role")


def _labelled(resource: Resource, name: str, namespace: str, labels: dict[str, str]) -> Object:
    tree = named(resource, name, namespace)
    tree["metadata"] |= {"labels": _LABELS | labels, "annotations": {_AUTOUPDATE: "true"}}
    return tree


def _standing_role(resource: Resource, role: _Role) -> Standing:
    tree = _labelled(resource, role.name, role.namespace, role.labels)
    tree["rules"] = [dict(rule) for rule in role.rules]
    if role.aggregation_rule is not None:
        tree["aggregationRule"] = role.aggregation_rule
    return Standing(resource, tree, _with_rules(role.rules))


def _standing_binding(resource: Resource, binding: _Binding, kind: str) -> Standing:
    tree = _labelled(resource, binding.name, binding.namespace, {})
    tree["roleRef"] = {"apiGroup": GROUP, "kind": kind, "name": binding.role}
    subjects = [
        it if it["kind"] == _ACCOUNT else {**it, "apiGroup": GROUP} for it in binding.subjects
    ]
    tree["subjects"] = subjects
    return Standing(resource, tree, _with_subjects(subjects))


def _is_kept_up(current: Object) -> bool:
    return (current["metadata"].get("annotations") or {}).get(_AUTOUPDATE) == "true"


def _with_rules(wanted: list[dict[str, Any]]) -> Renewal:
    def renew(current: Object) -> Object | None:
        rules = current.get("rules") or []
        if rules == wanted or not _is_kept_up(current):
            return None
        present = msgspec.convert(rules, tuple[PolicyRule, ...])
        asked = msgspec.convert(wanted, tuple[PolicyRule, ...])
        missing = [msgspec.to_builtins(rule) for rule in uncovered(present, asked)]
        added = [{name: it[name] for name in it if it[name]} for it in missing]
        return {**current, "rules": [*rules, *added]} if added else None

    return renew


def _with_subjects(wanted: list[dict[str, str]]) -> Renewal:
    def renew(current: Object) -> Object | None:
        subjects = current.get("subjects") or []
        added = [subject for subject in wanted if subject not in subjects]
        if not added or not _is_kept_up(current):
            return None
        return {**current, "subjects": [*subjects, *added]}

    return renew
