"""What roles grant to whom, indexed by subject; rebuilt from the cache when a role changes."""

from collections.abc import Iterator
from typing import Any

import msgspec

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
from sampan.kubernetes.machinery.selectors import from_object

GROUP = "rbac.authorization.k8s.io"


class _Aggregation(msgspec.Struct, frozen=True, rename="camel"):
    cluster_role_selectors: tuple[dict[str, Any], ...] = ()

    def __hash__(self) -> int:
        return hash(msgspec.json.encode(self.cluster_role_selectors))


class RoleView(msgspec.Struct, frozen=True, rename="camel"):
    metadata: Metadata
    rules: tuple[PolicyRule, ...] | None = None
    aggregation_rule: _Aggregation | None = None


class RoleReference(msgspec.Struct, frozen=True):
    kind: str
    name: str


class _Subject(msgspec.Struct, frozen=True):
    kind: str
    name: str
    namespace: str = ""


class BindingView(msgspec.Struct, frozen=True, rename="camel"):
    metadata: Metadata
    role_ref: RoleReference
    subjects: tuple[_Subject, ...] | None = None


class Grant(msgspec.Struct, frozen=True):
    """Rules that hold in one namespace, or everywhere when it is empty."""

    namespace: str
    rules: tuple[PolicyRule, ...]


_decode_role = msgspec.json.Decoder(RoleView).decode
_decode_binding = msgspec.json.Decoder(BindingView).decode


class RoleIndex:
    """Follows the roles and bindings in the cache. `version` grows with each change."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self.version = 0
        self._built = -1
        self._grants: dict[tuple[str, str], list[Grant]] = {}
        cache.on_event(self._note)

    def grants(self, identity: Identity) -> Iterator[Grant]:
        """Everything that roles grant to a caller."""
        if self._built != self.version:
            self._build()
        yield from self._grants.get(("User", identity.name), ())
        for group in identity.groups:
            yield from self._grants.get(("Group", group), ())

    def rules_in(self, identity: Identity, namespace: str) -> Iterator[PolicyRule]:
        """The rules that hold for a caller in a namespace ("" for the cluster's scope)."""
        for grant in self.grants(identity):
            if not grant.namespace or grant.namespace == namespace:
                yield from grant.rules

    def rules_of(self, reference: RoleReference, namespace: str) -> tuple[PolicyRule, ...] | None:
        """The rules of the role that a binding names; None when it isn't there."""
        if reference.kind == "ClusterRole":
            stored = self._cache.of(CLUSTER_ROLES).get(f"/{reference.name}")
        else:
            stored = self._cache.of(ROLES).get(f"{namespace}/{reference.name}")
        if stored is None:
            return None
        role = _decode_role(stored.data)
        if role.aggregation_rule is not None:
            return tuple(self._aggregated(role.aggregation_rule))
        return role.rules or ()

    def _aggregated(
        self, rule: _Aggregation, within: frozenset[_Aggregation] = frozenset()
    ) -> Iterator[PolicyRule]:
        """The rules of all labelled roles; one that aggregates itself adds nothing."""
        selectors = [from_object(it) for it in rule.cluster_role_selectors]
        chosen = [it for it in selectors if it is not None]
        for stored in self._cache.of(CLUSTER_ROLES).select(Selection()):
            if not any(selector.matches(stored.labels) for selector in chosen):
                continue
            role = _decode_role(stored.data)
            if role.aggregation_rule is None:
                yield from role.rules or ()
            elif role.aggregation_rule not in within and role.aggregation_rule != rule:
                yield from self._aggregated(role.aggregation_rule, within | {rule})

    def _build(self) -> None:
        self._grants = {}
        rules: dict[tuple[str, RoleReference], tuple[PolicyRule, ...] | None] = {}
        for resource in (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS):
            for binding in self._bindings(resource):
                namespace = binding.metadata.namespace
                key = (namespace, binding.role_ref)
                if key not in rules:
                    rules[key] = self.rules_of(binding.role_ref, namespace)
                found = rules[key]
                if found:
                    self._grant(binding, Grant(namespace, found))
        self._built = self.version

    def _bindings(self, resource: Resource) -> Iterator[BindingView]:
        for stored in self._cache.of(resource).select(Selection()):
            yield _decode_binding(stored.data)

    def _grant(self, binding: BindingView, grant: Grant) -> None:
        for subject in binding.subjects or ():
            if subject.kind == "ServiceAccount":
                name = f"system:serviceaccount:{subject.namespace}:{subject.name}"
                key = ("User", name)
            else:
                key = (subject.kind, subject.name)
            self._grants.setdefault(key, []).append(grant)

    def _note(self, kind: Kind, _event: CacheEvent) -> None:
        if kind.resource.group == GROUP:
            self.version += 1
