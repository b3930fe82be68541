"""What roles grant to whom, indexed by subject; follows the roles and bindings in the cache.

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

GROUP = "rbac.authorization.k8s.io"

_Key = tuple[Resource, str]
"""A role or a binding, by its resource and its key in the cache."""


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


class _BindingMetadata(msgspec.Struct, frozen=True):
    name: str
    namespace: str = ""


class _BindingView(msgspec.Struct, frozen=True, rename="camel"):
    metadata: _BindingMetadata
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
    """Follows the roles and bindings in the cache. What has changed is looked at when the next
    question comes, and nothing else."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._is_loaded = False
        self._changed: set[_Key] = set()
        self._bindings: dict[_Key, _BindingView] = {}
        self._bound_to: dict[_Key, set[_Key]] = {}
        self._tables: dict[_Key, RuleTable] = {}
        self._grants: dict[tuple[str, str], dict[_Key, Grant]] = {}
        cache.on_event(self._note, CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS, CLUSTER_ROLES, ROLES)

    def grants(self, identity: Identity, namespace: str) -> Iterator[Grant]:
        """What roles grant to a caller in a namespace ("" for the cluster's scope)."""
        if self._changed or not self._is_loaded:
            self._catch_up()
        for key in (("User", identity.name), *(("Group", group) for group in identity.groups)):
            found = self._grants.get(key)
            if found is not None:
                for grant in found.values():
                    if not grant.namespace or grant.namespace == namespace:
                        yield grant

    def rules_in(self, identity: Identity, namespace: str) -> Iterator[PolicyRule]:
        """The rules that hold for a caller in a namespace ("" for the cluster's scope)."""
        for grant in self.grants(identity, namespace):
            yield from grant.table.rules

    def rules_of(self, reference: RoleReference, namespace: str) -> tuple[PolicyRule, ...] | None:
        """The rules of the role that a binding names; None when it isn't there."""
        resource, key = _role_key(reference, namespace)
        stored = self._cache.of(resource).get(key)
        return None if stored is None else _decode_role(stored.data).rules or ()

    def _catch_up(self) -> None:
        if not self._is_loaded:
            self._is_loaded = True
            for resource in (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS):
                stored = self._cache.of(resource).select(Selection())
                self._changed |= {(resource, each.key) for each in stored}
        for key in self._changed:
            self._forget(key)
            self._take_in(key)
        self._changed.clear()

    def _forget(self, key: _Key) -> None:
        binding = self._bindings.pop(key, None)
        if binding is None:
            return
        for subject in binding.subjects or ():
            found = self._grants.get(subject.key, {})
            found.pop(key, None)
            if not found:
                self._grants.pop(subject.key, None)
        role = _role_key(binding.role_ref, binding.metadata.namespace)
        self._bound_to[role].discard(key)
        if not self._bound_to[role]:
            del self._bound_to[role]
            self._tables.pop(role, None)

    def _take_in(self, key: _Key) -> None:
        resource, name = key
        stored = self._cache.of(resource).get(name)
        if stored is None:
            return
        binding = self._bindings[key] = _decode_binding(stored.data)
        namespace, reference = binding.metadata.namespace, binding.role_ref
        role = _role_key(reference, namespace)
        self._bound_to.setdefault(role, set()).add(key)
        if role not in self._tables:
            self._tables[role] = RuleTable(self.rules_of(reference, namespace) or ())
        for subject in binding.subjects or ():
            grant = _grant(resource, binding, subject, self._tables[role])
            self._grants.setdefault(subject.key, {})[key] = grant

    def _note(self, kind: Kind, event: CacheEvent) -> None:
        resource = kind.resource
        changed = event.new or event.old
        assert changed is not None
        key = (resource, changed.key)
        if resource in (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS):
            self._changed.add(key)
        else:
            self._tables.pop(key, None)
            self._changed |= self._bound_to.get(key, set())


def _role_key(reference: RoleReference, namespace: str) -> _Key:
    """Where the role lies that a binding in `namespace` names."""
    if reference.kind == "ClusterRole":
        return CLUSTER_ROLES, f"/{reference.name}"
    return ROLES, f"{namespace}/{reference.name}"


def _grant(resource: Resource, binding: _BindingView, subject: _Subject, table: RuleTable) -> Grant:
    metadata, role = binding.metadata, binding.role_ref
    name = f"{metadata.name}/{metadata.namespace}" if metadata.namespace else metadata.name
    source = f'{resource.kind} "{name}" of {role.kind} "{role.name}"'
    reason = f"RBAC: allowed by {source} to {subject.shown}"
    return Grant(metadata.namespace, table, reason)
