"""The policies of one sort with their bindings, and which of them look at a kind of write."""

import logging
from collections.abc import Callable
from functools import cache, partial
from typing import Generic, TypeVar

import msgspec

from sampan.control.api.admission.matching.rules import GROUP, Rule, target_of
from sampan.control.api.admission.matching.selection import Selectors, selectors_of
from sampan.control.api.admission.policies.documents import (
    Binding,
    Matched,
    Policy,
    decode_binding,
    decode_policy,
)
from sampan.control.api.admission.write import Write
from sampan.control.api.cache.selection import Selection
from sampan.control.api.cache.stored_object import CacheEvent
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.kinds.resource import Resource

_log = logging.getLogger("sampan.api.admission")
_REMEMBERED = 1024
# Policies and their bindings themselves: nobody may lock the door from inside.
_EXEMPT = frozenset(
    f"{sort}admissionpolic{end}"
    for sort in ("validating", "mutating")
    for end in ("ies", "ybindings")
)


class Scope(msgspec.Struct, frozen=True):
    """What a policy or a binding is for."""

    rules: tuple[Rule, ...]
    excluded: tuple[Rule, ...]
    equivalent: bool
    selectors: Selectors

    def target(self, write: Write, kinds: Kinds) -> Kind | None:
        """The kind that the rules match; without any rules, that of the write."""
        if self.excluded and target_of(self.excluded, write, kinds, equivalent=self.equivalent):
            return None
        if not self.rules:
            return write.kind
        return target_of(self.rules, write, kinds, equivalent=self.equivalent)


def scope_of(matched: Matched) -> Scope:
    return Scope(
        matched.resource_rules,
        matched.exclude_resource_rules,
        matched.match_policy == "Equivalent",
        selectors_of(matched.namespace_selector, matched.object_selector),
    )


class Bound(msgspec.Struct, frozen=True):
    """A binding, and what it narrows its policy to."""

    binding: Binding
    scope: Scope | None

    @property
    def name(self) -> str:
        return self.binding.metadata.name


Compiled = TypeVar("Compiled")


class Entry(msgspec.Struct, Generic[Compiled], frozen=True):
    """A policy with its bindings; `compiled` makes its expressions ready when first asked."""

    name: str
    policy: Policy
    scope: Scope
    compiled: Callable[[], Compiled]
    bindings: tuple[Bound, ...]


class PolicyIndex(Generic[Compiled]):
    """Follows the policies of one resource and the bindings of another."""

    def __init__(
        self,
        cache: WatchCache,
        kinds: Kinds,
        policies: Resource,
        bindings: Resource,
        compiling: Callable[[Policy], Compiled],
    ) -> None:
        self._cache = cache
        self._kinds = kinds
        self._policies = policies
        self._bindings = bindings
        self._compiling = compiling
        self._entries: tuple[Entry[Compiled], ...] | None = None
        self._made: dict[str, tuple[int, Policy, Callable[[], Compiled]]] = {}
        self._known: dict[tuple[Resource, str, str, str], tuple[Entry[Compiled], ...]] = {}
        self._by_name = False
        cache.on_event(self._follow, policies, bindings)
        kinds.on_change(self._known.clear)

    def matching(self, write: Write) -> tuple[Entry[Compiled], ...]:
        """The policies that have bindings and whose rules fit, by name."""
        if self._entries is None:
            self._entries = self._read()
        resource = write.kind.resource
        if not self._entries or (resource.group == GROUP and resource.plural in _EXEMPT):
            return ()
        name = write.object_name if self._by_name else ""
        key = (resource, write.subresource, write.operation, name)
        found = self._known.get(key)
        if found is None:
            found = tuple(
                it for it in self._entries if it.scope.target(write, self._kinds) is not None
            )
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = found
        return found

    def _follow(self, _kind: Kind, _event: CacheEvent) -> None:
        self._entries = None
        self._known.clear()

    def _read(self) -> tuple[Entry[Compiled], ...]:
        bindings: dict[str, list[Bound]] = {}
        for stored in self._cache.of(self._bindings).select(Selection()):
            try:
                binding = decode_binding(stored.data)
            except msgspec.ValidationError:
                _log.exception("the binding %s can't be read", stored.name)
                continue
            narrowed = binding.spec.match_resources
            bound = Bound(binding, scope_of(narrowed) if narrowed is not None else None)
            bindings.setdefault(binding.spec.policy_name, []).append(bound)
        entries = tuple(self._compiled(bindings))
        self._by_name = any(_names_objects(it.scope) for it in entries)
        return entries

    def _compiled(self, bindings: dict[str, list[Bound]]) -> list[Entry[Compiled]]:
        """Only policies that changed are compiled again."""
        before, self._made = self._made, {}
        entries: list[Entry[Compiled]] = []
        for stored in self._cache.of(self._policies).select(Selection()):
            name = stored.name
            made = before.get(name)
            if made is None or made[0] != stored.revision:
                try:
                    policy = decode_policy(stored.data)
                except msgspec.ValidationError:
                    _log.exception("the policy %s can't be read", name)
                    continue
                made = (stored.revision, policy, cache(partial(self._compiling, policy)))
            self._made[name] = made
            _, policy, compiled = made
            if name in bindings:
                scope = scope_of(policy.spec.match_constraints)
                entries.append(Entry(name, policy, scope, compiled, tuple(bindings[name])))
        return entries


def _names_objects(scope: Scope) -> bool:
    return any(rule.resource_names for rule in (*scope.rules, *scope.excluded))
