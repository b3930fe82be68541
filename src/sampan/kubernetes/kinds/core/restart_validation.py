"""The rules of when one container is started again, beside its pod's own policy."""

from collections.abc import Iterator

from sampan.kubernetes.kinds.kind import Cause, Object
from sampan.kubernetes.machinery.causes import forbidden, required, too_many, unsupported

_POLICIES = ("Always", "Never", "OnFailure")
_ACTIONS = ("Restart", "RestartAllContainers")
_OPERATORS = ("In", "NotIn")
_MOST_RULES = 20
_MOST_EXIT_CODES = 255


def check_restarts(container: Object, path: str) -> Iterator[Cause]:
    """`restartPolicy` and `restartPolicyRules` of one container."""
    policy = container.get("restartPolicy")
    if policy is not None and policy not in _POLICIES:
        yield unsupported(f"{path}.restartPolicy", policy, _POLICIES)
    if policy is not None and ".ephemeralContainers[" in path:
        detail = "cannot be set for an Ephemeral Container"
        yield forbidden(f"{path}.restartPolicy", detail)
    rules = container.get("restartPolicyRules")
    if not rules:
        return
    field = f"{path}.restartPolicyRules"
    if policy is None:
        yield required(
            f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used"
        )
    if len(rules) > _MOST_RULES:
        yield too_many(field, len(rules), _MOST_RULES)
        return
    for index, rule in enumerate(rules):
        yield from _check_rule(rule, f"{field}[{index}]")


def _check_rule(rule: Object, field: str) -> Iterator[Cause]:
    if rule.get("action") not in _ACTIONS:
        yield unsupported(f"{field}.action", rule.get("action", ""), _ACTIONS)
    codes = rule.get("exitCodes")
    if codes is None:
        yield required(f"{field}.exitCodes", "must be specified")
        return
    if codes.get("operator") not in _OPERATORS:
        operator = codes.get("operator", "")
        yield unsupported(f"{field}.exitCodes.operator", operator, _OPERATORS)
    values = codes.get("values") or ()
    if not values:
        yield required(f"{field}.exitCodes.values", "at least one value is required")
    elif len(values) > _MOST_EXIT_CODES:
        yield too_many(f"{field}.exitCodes.values", len(values), _MOST_EXIT_CODES)
