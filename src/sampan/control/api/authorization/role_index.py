"""What roles grant to whom, indexed by subject; rebuilt from the cache when a role changes.

The rules of an aggregated role are those that stand in it: a controller gathers them there.
"""

from collections.abc import Iterator

import msgspec

from sampan.control.api.authorization.rule_table import RuleTable
from sampan.control.api.authorization.rules import PolicyRule
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import CacheEvent
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.resource import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    Resource,
)
from sampan.kubernetes.machinery.metadata import Metadata

GROUP = "rbac.authorization.k8s.io"


class _RoleView(msgspec.Struct, frozen=True):
    rules: tuple[PolicyRule, ...] | None = None


class RoleReference(msgspec.Struct, frozen=True):
    kind: str
    name: str


class _Subject(msgspec.Struct, frozen=True):
    kind: str
    name: str
    namespace: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """How the index files it: an account is the user of that name."""
        if self.kind == "ServiceAccount":
            return "User", f"system:serviceaccount:{self.namespace}:{self.name}"
        return self.kind, self.name

    @property
    def shown(self) -> str:
        name = f"{self.name}/{self.namespace}" if self.kind == "ServiceAccount" else self.name
        return f'{self.kind} "{name}"'


class _BindingView(msgspec.Struct, frozen=True, rename="camel"):
    metadata: Metadata
    role_ref: RoleReference
    subjects: tuple[_Subject, ...] | None = None


class Grant(msgspec.Struct, frozen=True):
    """Rules that hold in one namespace, or everywhere when it is empty; `reason` names the
    binding in Kubernetes' words."""

    namespace: str
    table: RuleTable
    reason: str


_decode_role = msgspec.json.Decoder(_RoleView).decode
_decode_binding = msgspec.json.Decoder(_BindingView).decode


class RoleIndex:
    """Follows the roles and bindings in the cache."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._stale = True
        self._grants: dict[tuple[str, str], list[Grant]] = {}
        cache.on_event(self._note)

    def grants(self, identity: Identity, namespace: str) -> Iterator[Grant]:
        """What roles grant to a caller in a namespace ("" for the cluster's scope)."""
        if self._stale:
            self._build()
        for key in (("User", identity.name), *(("Group", group) for group in identity.groups)):
            for grant in self._grants.get(key, ()):
                if not grant.namespace or grant.namespace == namespace:
                    yield grant

    def rules_in(self, identity: Identity, namespace: str) -> Iterator[PolicyRule]:
        """The rules that hold for a caller in a namespace ("" for the cluster's scope)."""
        for grant in self.grants(identity, namespace):
            yield from grant.table.rules

    def rules_of(self, reference: RoleReference, namespace: str) -> tuple[PolicyRule, ...] | None:
        """The rules of the role that a binding names; None when it isn't there."""
        if reference.kind == "ClusterRole":
            stored = self._cache.of(CLUSTER_ROLES).get(f"/{reference.name}")
        else:
            stored = self._cache.of(ROLES).get(f"{namespace}/{reference.name}")
        return None if stored is None else _decode_role(stored.data).rules or ()

    def _build(self) -> None:
        self._grants = {}
        tables: dict[tuple[str, RoleReference], RuleTable] = {}
        for resource in (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS):
            for binding in self._bindings(resource):
                namespace, reference = binding.metadata.namespace, binding.role_ref
                # A cluster role's rules are the same wherever it is bound.
                key = ("" if reference.kind == "ClusterRole" else namespace, reference)
                if key not in tables:
                    tables[key] = RuleTable(self.rules_of(reference, namespace) or ())
                if tables[key].rules:
                    self._grant(resource, binding, tables[key])
        self._stale = False

    def _bindings(self, resource: Resource) -> Iterator[_BindingView]:
        for stored in self._cache.of(resource).select(Selection()):
            yield _decode_binding(stored.data)

    def _grant(self, resource: Resource, binding: _BindingView, table: RuleTable) -> None:
        metadata, role = binding.metadata, binding.role_ref
        name = f"{metadata.name}/{metadata.namespace}" if metadata.namespace else metadata.name
        source = f'{resource.kind} "{name}" of {role.kind} "{role.name}"'
        for subject in binding.subjects or ():
            reason = f"RBAC: allowed by {source} to {subject.shown}"
            grant = Grant(metadata.namespace, table, reason)
            self._grants.setdefault(subject.key, []).append(grant)

    def _note(self, kind: Kind, _event: CacheEvent) -> None:
        if kind.resource.group == GROUP:
            self._stale = True
