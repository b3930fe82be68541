"""The one place that says whether a caller may do something; reviews ask it as well."""

from collections import OrderedDict

from sampan.control.api.attributes import Attributes
from sampan.control.api.authorization.node_rules import NodeRules, node_name
from sampan.control.api.authorization.role_index import RoleIndex
from sampan.control.api.cache.watch_cache import WatchCache
from sampan.control.api.call import Call, Handler
from sampan.control.api.refusal import Refused
from sampan.foundation.wire.message import Identity, Response
from sampan.kubernetes.kinds.kind import Object
from sampan.kubernetes.kinds.resource import Resource
from sampan.kubernetes.machinery import status
from sampan.kubernetes.machinery.selectors import FieldSelector, InvalidSelector, parse_fields

ADMINISTRATORS = "system:masters"
_REMEMBERED = 8192
_NO_FIELDS = FieldSelector()


class Authorizer:
    """Administrators may do everything, nodes what their pods need, all others what roles say."""

    def __init__(self, cache: WatchCache) -> None:
        self.roles = RoleIndex(cache)
        self._nodes = NodeRules(cache)
        self._decisions: OrderedDict[tuple[object, ...], bool] = OrderedDict()
        self._version = -1

    async def __call__(self, call: Call, following: Handler) -> Response:
        """The stage. Raises Refused (403) in Kubernetes' words."""
        if not self.allows(call.identity, call.attributes, _fields(call)):
            raise Refused(_forbidden(call.identity, call.attributes))
        return await following(call)

    def allows(
        self, identity: Identity, attributes: Attributes, fields: FieldSelector = _NO_FIELDS
    ) -> bool:
        if ADMINISTRATORS in identity.groups:
            return True
        node = node_name(identity)
        if node and self._nodes.allows(node, attributes, fields):
            return True
        return self._granted(identity, attributes)

    def require(self, identity: Identity, attributes: Attributes) -> None:
        """Raises Refused unless the caller may do it."""
        if not self.allows(identity, attributes):
            raise Refused(_forbidden(identity, attributes))

    def _granted(self, identity: Identity, attributes: Attributes) -> bool:
        if self._version != self.roles.version:
            self._decisions.clear()
            self._version = self.roles.version
        key = (identity.name, identity.groups, attributes)
        known = self._decisions.get(key)
        if known is None:
            rules = self.roles.rules_in(identity, attributes.namespace)
            known = self._decisions[key] = any(rule.allows(attributes) for rule in rules)
            if len(self._decisions) > _REMEMBERED:
                self._decisions.popitem(last=False)
        return known


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
