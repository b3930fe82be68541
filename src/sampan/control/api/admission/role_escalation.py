"""Nobody grants what they do not have, unless they hold the verbs `escalate` or `bind`."""

import msgspec

from sampan.control.api.admission.write import Write
from sampan.control.api.attributes import Attributes
from sampan.control.api.authorization.authorizer import ADMINISTRATORS, Authorizer
from sampan.control.api.authorization.role_index import RoleReference
from sampan.control.api.authorization.rules import PolicyRule, uncovered
from sampan.control.api.refusal import Refused
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
)
from sampan.kubernetes.machinery import status


class RoleEscalation:
    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def __call__(self, write: Write) -> None:
        """Raises Refused (403)."""
        new, resource = write.new, write.kind.resource
        if new is None or ADMINISTRATORS in write.identity.groups:
            return
        if resource in (ROLES, CLUSTER_ROLES):
            if write.old is not None and new.get("rules") == write.old.get("rules"):
                return
            wanted = msgspec.convert(new.get("rules") or [], tuple[PolicyRule, ...])
            if new.get("aggregationRule"):
                wanted = (*wanted, *_EVERYTHING)
            self._check(write, "escalate", resource.plural, new["metadata"]["name"], wanted)
        elif resource in (ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS):
            self._check_binding(write, new)

    def _check_binding(self, write: Write, binding: Object) -> None:
        reference = msgspec.convert(binding.get("roleRef"), RoleReference)
        rules = self._authorizer.roles.rules_of(reference, write.namespace)
        if rules is None:
            resource = CLUSTER_ROLES if reference.kind == "ClusterRole" else ROLES
            raise Refused(status.not_found(resource, reference.name))
        plural = "clusterroles" if reference.kind == "ClusterRole" else "roles"
        self._check(write, "bind", plural, reference.name, rules)

    def _check(
        self, write: Write, verb: str, plural: str, name: str, wanted: tuple[PolicyRule, ...]
    ) -> None:
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
        if self._authorizer.allows(write.identity, permission):
            return
        owned = self._authorizer.roles.rules_in(write.identity, write.namespace)
        missing = uncovered(owned, wanted)
        if missing:
            explanation = (
                f'user "{write.identity.name}" is attempting to grant RBAC permissions not '
                f"currently held: {_shown(missing[0])}"
            )
            object_name = write.object["metadata"].get("name", "")
            raise Refused(status.forbidden(write.kind.resource, object_name, explanation))


_EVERYTHING = (
    PolicyRule(verbs=("*",), api_groups=("*",), resources=("*",)),
    PolicyRule(verbs=("*",), non_resource_urls=("*",)),
)


def _shown(rule: PolicyRule) -> str:
    return msgspec.json.encode(
        {name: value for name, value in msgspec.to_builtins(rule).items() if value}
    ).decode()
