"""All that a caller may do in a namespace, as SelfSubjectRulesReview shows it."""

import msgspec

from sampan.control.api.authorization.authorizer import Authorizer
from sampan.control.api.authorization.node_rules import node_name
from sampan.control.api.authorization.rules import EVERYTHING, PolicyRule
from sampan.foundation.pki.subjects import ADMINISTRATORS
from sampan.foundation.wire.message import Identity
from sampan.kubernetes.kinds.kind import Object


def rules_status(authorizer: Authorizer, identity: Identity, namespace: str) -> Object:
    """The review's status. What a node may do depends on its pods and is not told as rules."""
    rules = list(authorizer.roles.rules_in(identity, namespace))
    if ADMINISTRATORS in identity.groups:
        rules = [*EVERYTHING, *rules]
    distinct = list(dict.fromkeys(rules))
    answer: Object = {
        "resourceRules": [_shown(it) for it in distinct if not it.non_resource_urls],
        "nonResourceRules": [_shown(it) for it in distinct if it.non_resource_urls],
        "incomplete": bool(node_name(identity)),
    }
    if answer["incomplete"]:
        answer["evaluationError"] = "node authorizer does not support user rule resolution"
    return answer


def _shown(rule: PolicyRule) -> Object:
    return {name: value for name, value in msgspec.to_builtins(rule).items() if value}
