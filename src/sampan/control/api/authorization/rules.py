"""The rules of roles, and whether one allows a request or covers another rule. Pure.

The semantics are those of k8s.io/kubernetes `pkg/registry/rbac/validation`.
"""

from collections.abc import Iterable
from itertools import product

import msgspec

from sampan.control.api.attributes import Attributes

ALL = "*"


class PolicyRule(msgspec.Struct, frozen=True, rename="camel"):
    """One rule as it stands in a role."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")

    def allows(self, attributes: Attributes) -> bool:
        if attributes.verb not in self.verbs and ALL not in self.verbs:
            return False
        if not attributes.is_resource:
            return any(
                _path_matches(pattern, attributes.path) for pattern in self.non_resource_urls
            )
        if attributes.group not in self.api_groups and ALL not in self.api_groups:
            return False
        if not self._names_resource(attributes.full_resource, attributes.subresource):
            return False
        return not self.resource_names or attributes.name in self.resource_names

    def _names_resource(self, resource: str, subresource: str) -> bool:
        if ALL in self.resources or resource in self.resources:
            return True
        return bool(subresource) and f"*/{subresource}" in self.resources

    @property
    def breadth(self) -> int:
        """How many simple rules this one stands for."""
        names = max(1, len(self.resource_names))
        plain = len(self.verbs) * len(self.api_groups) * len(self.resources) * names
        return plain + len(self.verbs) * len(self.non_resource_urls)

    def covers(self, other: "PolicyRule") -> bool:
        """Whether every request that `other` allows is allowed here."""
        return (
            _includes(self.verbs, other.verbs)
            and _includes(self.api_groups, other.api_groups)
            and self._covers_resources(other.resources)
            and (not self.resource_names or _named_within(other, self.resource_names))
            and all(
                any(_path_matches(mine, theirs) for mine in self.non_resource_urls)
                for theirs in other.non_resource_urls
            )
        )

    def _covers_resources(self, others: tuple[str, ...]) -> bool:
        return all(self._names_resource(it, it.partition("/")[2]) for it in others)


def _includes(mine: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    return ALL in mine or set(theirs) <= set(mine)


def _named_within(other: PolicyRule, names: tuple[str, ...]) -> bool:
    return bool(other.resource_names) and set(other.resource_names) <= set(names)


def _path_matches(pattern: str, path: str) -> bool:
    if pattern.endswith(ALL):
        return path.startswith(pattern[:-1])
    return pattern == path


EVERYTHING = (
    PolicyRule(verbs=(ALL,), api_groups=(ALL,), resources=(ALL,)),
    PolicyRule(verbs=(ALL,), non_resource_urls=(ALL,)),
)
MAXIMUM_BREADTH = 20_000
"""A rule of more simple ones, of which each must be looked for, is covered whole or not at all."""


def uncovered(owned: Iterable[PolicyRule], wanted: Iterable[PolicyRule]) -> list[PolicyRule]:
    """The simplest rules of `wanted` that no rule of `owned` covers."""
    mine, missing = tuple(owned), []
    for rule in wanted:
        if any(it.covers(rule) for it in mine):
            continue
        if rule.breadth > MAXIMUM_BREADTH:
            missing.append(rule)
            continue
        missing += [it for it in _broken_down(rule) if not any(own.covers(it) for own in mine)]
    return missing


def _broken_down(rule: PolicyRule) -> Iterable[PolicyRule]:
    """A rule as rules of one verb, group, resource and name each."""
    for verb, url in product(rule.verbs, rule.non_resource_urls):
        yield PolicyRule(verbs=(verb,), non_resource_urls=(url,))
    names: tuple[tuple[str, ...], ...] = tuple((name,) for name in rule.resource_names) or ((),)
    for verb, group, resource, name in product(rule.verbs, rule.api_groups, rule.resources, names):
        yield PolicyRule((verb,), (group,), (resource,), name)
