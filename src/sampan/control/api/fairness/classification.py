"""To which schema, and so to which level and flow, a request belongs. Pure.

The rules are those of the FlowSchema API (flowcontrol.apiserver.k8s.io/v1): the first schema
that matches, in order of precedence.
"""

from collections.abc import Iterable

import msgspec

from sampan.control.api.attributes import Attributes
from sampan.control.api.authentication.identities import ACCOUNT_PREFIX
from sampan.control.api.fairness.configuration import (
    ALL,
    FlowSchema,
    NonResourceRule,
    ResourceRule,
    Rule,
    Subject,
    in_order,
)
from sampan.foundation.wire.message import Identity


class Flow(msgspec.Struct, frozen=True):
    """The schema of a request, and what tells its flow from others of that schema."""

    schema: FlowSchema
    distinguisher: str

    @property
    def level(self) -> str:
        return self.schema.spec.priority_level_configuration.name


class Classifier:
    """Over a set of schemas; those whose level isn't in `levels` are passed over."""

    def __init__(self, schemas: Iterable[FlowSchema], levels: Iterable[str]) -> None:
        known = frozenset(levels)
        self._schemas = tuple(
            schema
            for schema in in_order(schemas)
            if schema.spec.priority_level_configuration.name in known
        )

    def classify(self, identity: Identity, attributes: Attributes) -> Flow | None:
        """None when no schema matches."""
        for schema in self._schemas:
            if any(matches(rule, identity, attributes) for rule in schema.spec.rules):
                return Flow(schema, _distinguisher(schema, identity, attributes))
        return None


def _distinguisher(schema: FlowSchema, identity: Identity, attributes: Attributes) -> str:
    method = schema.spec.distinguisher_method
    if method is None:
        return ""
    return identity.name if method.type == "ByUser" else attributes.namespace


def matches(rule: Rule, identity: Identity, attributes: Attributes) -> bool:
    """Whether who asks is a subject of the rule, and what is asked is in one of its lists."""
    if not any(_is_subject(subject, identity) for subject in rule.subjects):
        return False
    if attributes.is_resource:
        return any(_matches_resource(entry, attributes) for entry in rule.resource_rules)
    return any(_matches_path(entry, attributes) for entry in rule.non_resource_rules)


def _is_subject(subject: Subject, identity: Identity) -> bool:
    if subject.kind == "User":
        return subject.user.name in (ALL, identity.name)
    if subject.kind == "Group":
        return subject.group.name == ALL or subject.group.name in identity.groups
    account = subject.service_account
    prefix = f"{ACCOUNT_PREFIX}{account.namespace}:"
    if account.name == ALL:
        return identity.name.startswith(prefix)
    return identity.name == prefix + account.name


def _matches_resource(rule: ResourceRule, attributes: Attributes) -> bool:
    if not _holds(rule.verbs, attributes.verb) or not _holds(rule.api_groups, attributes.group):
        return False
    if not _holds(rule.resources, attributes.full_resource):
        return False
    if not attributes.namespace:
        return rule.cluster_scope
    return _holds(rule.namespaces, attributes.namespace)


def _matches_path(rule: NonResourceRule, attributes: Attributes) -> bool:
    return _holds(rule.verbs, attributes.verb) and any(
        _is_under(pattern, attributes.path) for pattern in rule.non_resource_urls
    )


def _is_under(pattern: str, path: str) -> bool:
    if pattern == ALL:
        return True
    return path.startswith(pattern[:-1]) if pattern.endswith("/*") else path == pattern


def _holds(listed: tuple[str, ...], wanted: str) -> bool:
    return wanted in listed or ALL in listed
