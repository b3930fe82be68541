"""Rules of webhooks and policies: operations on resources (admissionregistration.k8s.io/v1).

With the match policy `Equivalent` a rule for another version of the written resource counts
too; the hook then gets the object in the version that its rule names.
"""

from collections.abc import Iterable

import msgspec

from sampan.control.api.admission.write import Operation, Write
from sampan.kubernetes.kinds.kind import Kind
from sampan.kubernetes.kinds.registry import Kinds
from sampan.kubernetes.kinds.resource import Resource

GROUP = "admissionregistration.k8s.io"


class Rule(msgspec.Struct, frozen=True, rename="camel"):
    """What a rule says. `resource_names` is for policies alone."""

    operations: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    api_versions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    scope: str = "*"


def is_exempt(kind: Kind) -> bool:
    """Configurations of admission itself: nobody may lock the door from inside."""
    return kind.resource.group == GROUP


def target_of(
    rules: Iterable[Rule], write: Write, kinds: Kinds, *, equivalent: bool
) -> Kind | None:
    """The kind, of the written version or of another, that a rule matches; None without one."""
    given = tuple(rules)
    for kind in (write.kind, *(_others(write.kind, kinds) if equivalent else ())):
        if any(_matches(rule, kind.resource, write) for rule in given):
            return kind
    return None


def _others(kind: Kind, kinds: Kinds) -> tuple[Kind, ...]:
    return tuple(it for it in kinds if it.place == kind.place and it.resource != kind.resource)


def _matches(rule: Rule, resource: Resource, write: Write) -> bool:
    return (
        _operation_fits(rule, write.operation)
        and _fits(rule.api_groups, resource.group)
        and _fits(rule.api_versions, resource.version)
        and any(_resource_fits(it, resource.plural, write.subresource) for it in rule.resources)
        and _scope_fits(rule.scope, resource)
        and (not rule.resource_names or write.object_name in rule.resource_names)
    )


def _operation_fits(rule: Rule, operation: Operation) -> bool:
    return _fits(rule.operations, operation)


def _fits(wanted: tuple[str, ...], given: str) -> bool:
    return "*" in wanted or given in wanted


def _resource_fits(pattern: str, plural: str, subresource: str) -> bool:
    """`pods`, `pods/status`, `*` (no subresources), `pods/*` (those too), `*/scale`, `*/*`."""
    wanted, slash, part = pattern.partition("/")
    if wanted not in ("*", plural):
        return False
    if not slash:
        return not subresource
    return part in ("*", subresource)


def _scope_fits(scope: str, resource: Resource) -> bool:
    return scope == "*" or (scope == "Namespaced") is resource.namespaced
