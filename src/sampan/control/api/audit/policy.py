"""How much of each request the audit log tells. Pure.

The file is an audit.k8s.io/v1 Policy; the first rule that matches a request counts, and a
request that none matches is not told of.
"""

from functools import lru_cache
from typing import Literal

import msgspec

from sampan.control.api.attributes import Attributes
from sampan.foundation.wire.message import Identity

Level = Literal["None", "Metadata", "Request", "RequestResponse"]
Stage = Literal["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]
ALL = "*"


class InvalidPolicy(ValueError):
    """The document is no audit policy; the text says where and why."""


class GroupResources(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Resources of one API group; no resources stand for all of them."""

    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()

    def matches(self, attributes: Attributes) -> bool:
        if attributes.group != self.group:
            return False
        if self.resource_names and attributes.name not in self.resource_names:
            return False
        if not self.resources:
            return True
        plain, subresource = attributes.resource, attributes.subresource
        return any(
            entry in (ALL, attributes.full_resource)
            or (bool(subresource) and entry in (f"{plain}/*", f"*/{subresource}"))
            for entry in self.resources
        )


class Rule(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Empty lists match everything, but a list of paths no resources and the other way round."""

    level: Level
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool | None = None

    def matches(self, identity: Identity, attributes: Attributes) -> bool:
        if self.users and identity.name not in self.users:
            return False
        if self.user_groups and not any(it in identity.groups for it in self.user_groups):
            return False
        if self.verbs and attributes.verb not in self.verbs:
            return False
        if attributes.is_resource:
            return self._matches_resource(attributes)
        if self.resources or self.namespaces:
            return False
        paths = self.non_resource_urls
        return not paths or any(_is_under(entry, attributes.path) for entry in paths)

    def _matches_resource(self, attributes: Attributes) -> bool:
        if self.non_resource_urls and not self.resources:
            return False
        if self.namespaces and attributes.namespace not in self.namespaces:
            return False
        return not self.resources or any(it.matches(attributes) for it in self.resources)


class Verdict(msgspec.Struct, frozen=True):
    """What the log tells of a request."""

    level: Level = "None"
    omitted_stages: frozenset[str] = frozenset()
    omits_managed_fields: bool = False

    def tells(self, stage: Stage) -> bool:
        return self.level != "None" and stage not in self.omitted_stages

    @property
    def shows_request(self) -> bool:
        return self.level in ("Request", "RequestResponse")

    @property
    def shows_response(self) -> bool:
        return self.level == "RequestResponse"


_UNTOLD = Verdict()


@lru_cache(maxsize=256)
def _verdict(
    level: Level, always: tuple[Stage, ...], omitted: tuple[Stage, ...], omits_managed_fields: bool
) -> Verdict:
    return Verdict(level, frozenset((*always, *omitted)), omits_managed_fields)


class Policy(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A whole policy."""

    api_version: Literal["audit.k8s.io/v1"]
    kind: Literal["Policy"]
    rules: tuple[Rule, ...]
    metadata: dict[str, object] = {}
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool = False

    @property
    def names_objects(self) -> bool:
        """Whether a rule looks at the names of objects."""
        return any(it.resource_names for rule in self.rules for it in rule.resources)

    def verdict(self, identity: Identity, attributes: Attributes) -> Verdict:
        """What the first matching rule says."""
        for rule in self.rules:
            if rule.matches(identity, attributes):
                omits = rule.omit_managed_fields
                return _verdict(
                    rule.level,
                    self.omit_stages,
                    rule.omit_stages,
                    self.omit_managed_fields if omits is None else omits,
                )
        return _UNTOLD


def policy_of(tree: object) -> Policy:
    """A decoded document as a policy. Raises InvalidPolicy."""
    try:
        policy = msgspec.convert(tree, Policy)
    except msgspec.ValidationError as error:
        raise InvalidPolicy(f"not an audit.k8s.io/v1 Policy: {error}") from error
    if not policy.rules:
        raise InvalidPolicy("not an audit.k8s.io/v1 Policy: it has no rules")
    return policy


def _is_under(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith(ALL) else path == pattern


_CHATTER = ("events", "leases")
_WRITES = ("create", "update", "patch", "delete", "deletecollection")

DEFAULT_POLICY = Policy(
    api_version="audit.k8s.io/v1",
    kind="Policy",
    omit_stages=("RequestReceived",),
    rules=(
        Rule(level="None", user_groups=("system:nodes",)),
        Rule(
            level="None",
            resources=(
                GroupResources("", _CHATTER),
                GroupResources("events.k8s.io", _CHATTER),
                GroupResources("coordination.k8s.io", _CHATTER),
                GroupResources("authorization.k8s.io"),
                GroupResources("authentication.k8s.io"),
            ),
        ),
        Rule(level="None", non_resource_urls=(ALL,)),
        Rule(level="Metadata", verbs=_WRITES),
    ),
)
"""Every write of a user, a program or a controller; not what nodes report, nor the chatter."""
