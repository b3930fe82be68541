"""Nobody grants what they do not have, unless they hold the verbs `escalate` or `bind`.

The rules and words are those of k8s.io/kubernetes `pkg/registry/rbac`.
"""

from collections.abc import Iterable

import msgspec

from sampan.control.api.admission.write import Write
from sampan.control.api.attributes import Attributes
from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.authorization.role_index import RoleReference
from sampan.control.api.authorization.rules import EVERYTHING, PolicyRule, uncovered
from sampan.control.api.refusal import Refused
from sampan.foundation.pki.subjects import ADMINISTRATORS
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
)
from sampan.kubernetes.machinery import status

_MOST_SHOWN = 32


class RoleEscalation:
    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def __call__(self, write: Write) -> None:
        """Raises Refused (403, 404 for a binding to a role that isn't there)."""
        new, resource = write.new, write.kind.resource
        if new is None or ADMINISTRATORS in write.identity.groups:
            return
        if resource in (ROLES, CLUSTER_ROLES):
            if not _is_same(write, "rules", "aggregationRule"):
                self._check_role(write, new)
        elif resource in (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS) and not _is_same(
            write, "roleRef", "subjects"
        ):
            self._check_binding(write, new)

    def _check_role(self, write: Write, role: Object) -> None:
        plural, name = write.kind.resource.plural, role["metadata"]["name"]
        if self._is_allowed(write, "escalate", plural, name):
            return
        if role.get("aggregationRule") and self._missing(write, EVERYTHING):
            explanation = "must have cluster-admin privileges to use the aggregationRule"
            raise write.refusal(explanation)
        rules = msgspec.convert(role.get("rules") or [], tuple[PolicyRule, ...])
        self._refuse_if(write, self._missing(write, rules))

    def _check_binding(self, write: Write, binding: Object) -> None:
        reference = msgspec.convert(binding.get("roleRef"), RoleReference)
        resource = CLUSTER_ROLES if reference.kind == "ClusterRole" else ROLES
        if self._is_allowed(write, "bind", resource.plural, reference.name):
            return
        rules = self._authorizer.roles.rules_of(reference, write.namespace)
        if rules is None:
            raise Refused(status.not_found(resource, reference.name))
        self._refuse_if(write, self._missing(write, rules))

    def _is_allowed(self, write: Write, verb: str, plural: str, name: str) -> bool:
        permission = Attributes(
            verb=verb,
            path="",
            is_resource=True,
            group=write.kind.resource.group,
            version="v1",
            resource=plural,
            namespace=write.namespace,
            name=name,
        )
        return self._authorizer.allows(write.identity, permission)

    def _missing(self, write: Write, wanted: Iterable[PolicyRule]) -> list[PolicyRule]:
        return uncovered(self._authorizer.roles.rules_in(write.identity, write.namespace), wanted)

    def _refuse_if(self, write: Write, missing: list[PolicyRule]) -> None:
        if not missing:
            return
        identity = write.identity
        groups = " ".join(f'"{group}"' for group in identity.groups)
        listed = "\n".join(sorted(_shown(rule) for rule in _compacted(missing))[:_MOST_SHOWN])
        explanation = (
            f'user "{identity.name}" (groups=[{groups}]) is attempting to grant RBAC permissions '
            f"not currently held:\n{listed}"
        )
        raise write.refusal(explanation)


def _is_same(write: Write, *fields: str) -> bool:
    """Whether an update leaves alone what grants something."""
    if write.new is None or write.old is None:
        return False
    new, old = write.new, write.old
    return all((new.get(field) or None) == (old.get(field) or None) for field in fields)


def _compacted(rules: Iterable[PolicyRule]) -> list[PolicyRule]:
    """Rules that differ in their verbs alone, as one."""
    verbs: dict[PolicyRule, list[str]] = {}
    for rule in rules:
        verbs.setdefault(msgspec.structs.replace(rule, verbs=()), []).extend(rule.verbs)
    return [msgspec.structs.replace(rule, verbs=tuple(found)) for rule, found in verbs.items()]


def _shown(rule: PolicyRule) -> str:
    parts = {
        "NonResourceURLs": rule.non_resource_urls,
        "APIGroups": rule.api_groups,
        "Resources": rule.resources,
        "ResourceNames": rule.resource_names,
        "Verbs": rule.verbs,
    }
    quoted = {
        key: ", ".join(f'"{it}"' for it in values[:_MOST_SHOWN]) for key, values in parts.items()
    }
    return "{" + ", ".join(f"{key}:[{quoted[key]}]" for key in parts if parts[key]) + "}"
