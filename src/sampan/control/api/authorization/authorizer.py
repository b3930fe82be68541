"""The one place that says whether a caller may do something; reviews ask it as well."""

import msgspec

from sampan.control.api.attributes import Attributes
from sampan.control.api.authorization.node_rules import NodeRules, node_name
from sampan.control.api.authorization.role_index import RoleIndex
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, Handler
from sampan.control.api.refusal import Refused
from sampan.foundation.pki.subjects import ADMINISTRATORS
from sampan.foundation.wire.message import Identity, Response
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.selectors import FieldSelector, InvalidSelector, parse_fields

_NO_FIELDS = FieldSelector()
_DECISION, _REASON = "authorization.k8s.io/decision", "authorization.k8s.io/reason"


class Decision(msgspec.Struct, frozen=True):
    """Whether, and in Kubernetes' words why; a refusal has no reason."""

    allowed: bool
    reason: str = ""


_REFUSED = Decision(allowed=False)
_ADMINISTRATOR = Decision(allowed=True)
_NODE = Decision(allowed=True)


class Authorizer:
    """Administrators may do everything, nodes what their pods need, all others what roles say."""

    def __init__(self, cache: WatchCache) -> None:
        self.roles = RoleIndex(cache)
        self._nodes = NodeRules(cache)

    async def __call__(self, call: Call, following: Handler) -> Response:
        """The stage. Raises Refused (403) in Kubernetes' words."""
        decision = self.decision(call.identity, call.attributes, _fields(call))
        call.annotations[_DECISION] = "allow" if decision.allowed else "forbid"
        call.annotations[_REASON] = decision.reason
        if not decision.allowed:
            raise Refused(_forbidden(call.identity, call.attributes))
        return await following(call)

    def decision(
        self, identity: Identity, attributes: Attributes, fields: FieldSelector = _NO_FIELDS
    ) -> Decision:
        """`fields` is the request's field selector, where that narrows what is asked for."""
        if ADMINISTRATORS in identity.groups:
            return _ADMINISTRATOR
        node = node_name(identity)
        if node and self._nodes.allows(node, attributes, fields):
            return _NODE
        for grant in self.roles.grants(identity, attributes.namespace):
            if grant.table.allows(attributes):
                return Decision(allowed=True, reason=grant.reason)
        return _REFUSED

    def allows(
        self, identity: Identity, attributes: Attributes, fields: FieldSelector = _NO_FIELDS
    ) -> bool:
        return self.decision(identity, attributes, fields).allowed

    def require(self, identity: Identity, attributes: Attributes) -> None:
        """Raises Refused unless the caller may do it."""
        if not self.allows(identity, attributes):
            raise Refused(_forbidden(identity, attributes))


def _fields(call: Call) -> FieldSelector:
    """The request's field selector; one that can't be read shows nothing."""
    if not node_name(call.identity):
        return _NO_FIELDS
    try:
        return parse_fields(call.request.parameter("fieldSelector"))
    except InvalidSelector:
        return _NO_FIELDS


def _forbidden(identity: Identity, attributes: Attributes) -> Object:
    if not attributes.is_resource:
        return status.forbidden_path(identity.name, attributes.verb, attributes.path)
    named = Resource(attributes.group, attributes.version, attributes.resource, "")
    explanation = status.forbidden_explanation(
        identity.name, attributes.verb, named, attributes.subresource, attributes.namespace
    )
    return status.forbidden(named, attributes.name, explanation)
