"""Webhook configurations and admission policies: defaults, and each rule with what breaks it."""

from typing import Any

import pytest

from sampan.kubernetes.kinds.admissionregistration.policies import (
    MUTATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY,
)
from sampan.kubernetes.kinds.admissionregistration.policy_bindings import (
    MUTATING_ADMISSION_POLICY_BINDING,
    VALIDATING_ADMISSION_POLICY_BINDING,
)
from sampan.kubernetes.kinds.admissionregistration.webhooks import (
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
)
from sampan.kubernetes.kinds.kind import Kind

RULE = {
    "apiGroups": ["apps"],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["deployments"],
}
SERVICE = {"namespace": "default", "name": "hook"}
WEBHOOK = {
    "name": "a.example.com",
    "admissionReviewVersions": ["v1"],
    "sideEffects": "None",
    "clientConfig": {"service": SERVICE},
    "rules": [RULE],
}


def _webhook(**fields: Any) -> dict[str, Any]:
    return {"webhooks": [{**WEBHOOK, **fields}]}


def _rule(**fields: Any) -> dict[str, Any]:
    return _webhook(rules=[{**RULE, **fields}])


def _url(url: str) -> dict[str, Any]:
    return _webhook(clientConfig={"url": url})


HOOK = "webhooks[0]"
WRONG_WEBHOOKS: list[tuple[dict[str, Any], str, str]] = [
    (_webhook(name="a.b"), f"{HOOK}.name", "at least three segments"),
    (_webhook(sideEffects="Some"), f"{HOOK}.sideEffects", '"None", "NoneOnDryRun"'),
    (_webhook(timeoutSeconds=31), f"{HOOK}.timeoutSeconds", "between 1 and 30 seconds"),
    (_webhook(failurePolicy="Maybe"), f"{HOOK}.failurePolicy", "Unsupported value"),
    (_webhook(matchPolicy="Near"), f"{HOOK}.matchPolicy", "Unsupported value"),
    (
        _webhook(admissionReviewVersions=["v2"]),
        f"{HOOK}.admissionReviewVersions",
        "must include at least one of v1, v1beta1",
    ),
    (_webhook(clientConfig={}), f"{HOOK}.clientConfig", "exactly one of url or service"),
    (_url("http://a"), f"{HOOK}.clientConfig.url", "'https' is the only allowed URL scheme"),
    (_url("https://u:p@a"), f"{HOOK}.clientConfig.url", "user information is not permitted"),
    (_url("https://a?b=c"), f"{HOOK}.clientConfig.url", "query parameters are not permitted"),
    (
        _webhook(clientConfig={"service": {**SERVICE, "path": "/a//b"}}),
        f"{HOOK}.clientConfig.service.path",
        "segment[1] may not be empty",
    ),
    (
        _webhook(clientConfig={"service": {**SERVICE, "port": 0}}),
        f"{HOOK}.clientConfig.service.port",
        "port is not valid",
    ),
    (
        _webhook(matchConditions=[{"name": "a", "expression": " "}]),
        f"{HOOK}.matchConditions[0].expression",
        "Required value",
    ),
    (_rule(operations=["*", "CREATE"]), f"{HOOK}.rules[0].operations", "if '*' is present"),
    (_rule(operations=["READ"]), f"{HOOK}.rules[0].operations[0]", "Unsupported value"),
    (_rule(apiGroups=["*", "apps"]), f"{HOOK}.rules[0].apiGroups", "other API groups"),
    (_rule(apiVersions=[]), f"{HOOK}.rules[0].apiVersions", "Required value"),
    (_rule(resources=["*/*", "pods"]), f"{HOOK}.rules[0].resources", "if '*/*' is present"),
    (_rule(resources=["*", "pods"]), f"{HOOK}.rules[0].resources", "without subresources"),
    (
        _rule(resources=["pods/*", "pods/status"]),
        f"{HOOK}.rules[0].resources[1]",
        "if 'pods/*' is present",
    ),
    (_rule(scope="Everything"), f"{HOOK}.rules[0].scope", "Unsupported value"),
    ({"webhooks": [WEBHOOK, WEBHOOK]}, "webhooks[1].name", "Duplicate value"),
]


@pytest.mark.parametrize("kind", [MUTATING_WEBHOOK_CONFIGURATION, VALIDATING_WEBHOOK_CONFIGURATION])
@pytest.mark.parametrize(("tree", "field", "message"), WRONG_WEBHOOKS)
def test_rules_of_webhooks(
    causes: Any, kind: Kind, tree: dict[str, Any], field: str, message: str
) -> None:
    assert causes(kind, _webhook()) == {}
    assert message in causes(kind, tree).get(field, "")


def test_defaults_of_webhooks() -> None:
    for kind in (MUTATING_WEBHOOK_CONFIGURATION, VALIDATING_WEBHOOK_CONFIGURATION):
        rule, client = dict(RULE), {"service": dict(SERVICE)}
        tree: dict[str, Any] = {
            "kind": kind.resource.kind,
            **_webhook(rules=[rule], clientConfig=client),
        }
        kind.default(tree)
        [webhook] = tree["webhooks"]
        assert (webhook["failurePolicy"], webhook["matchPolicy"]) == ("Fail", "Equivalent")
        assert webhook["timeoutSeconds"] == 10
        assert webhook["namespaceSelector"] == webhook["objectSelector"] == {}
        assert rule["scope"] == "*"
        assert client["service"]["port"] == 443  # type: ignore[comparison-overlap]
        never = "Never" if kind is MUTATING_WEBHOOK_CONFIGURATION else None
        assert webhook.get("reinvocationPolicy") == never


CONSTRAINTS = {"resourceRules": [RULE]}


def _policy(**spec: Any) -> dict[str, Any]:
    given = {
        "matchConstraints": CONSTRAINTS,
        "validations": [{"expression": "true"}],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}],
    }
    return {"spec": {**given, **spec}}


def _mutation(**fields: Any) -> dict[str, Any]:
    return _policy(mutations=[fields])


VALIDATING, MUTATING = VALIDATING_ADMISSION_POLICY, MUTATING_ADMISSION_POLICY
WRONG_POLICIES: list[tuple[Kind, dict[str, Any], str, str]] = [
    (VALIDATING, {"spec": {}}, "spec.matchConstraints", "Required value"),
    (
        VALIDATING,
        _policy(matchConstraints={}),
        "spec.matchConstraints.resourceRules",
        "Required value",
    ),
    (VALIDATING, _policy(validations=[]), "spec.validations", "at least one item"),
    (
        VALIDATING,
        _policy(validations=[{"expression": ""}]),
        "spec.validations[0].expression",
        "expression is not specified",
    ),
    (
        VALIDATING,
        _policy(validations=[{"expression": "a", "message": "b\nc"}]),
        "spec.validations[0].message",
        "must not contain line breaks",
    ),
    (
        VALIDATING,
        _policy(validations=[{"expression": "a", "reason": "Teapot"}]),
        "spec.validations[0].reason",
        "Unsupported value",
    ),
    (
        VALIDATING,
        _policy(variables=[{"name": "if", "expression": "a"}]),
        "spec.variables[0].name",
        "not a valid CEL identifier",
    ),
    (
        VALIDATING,
        _policy(paramKind={"apiVersion": "a/b/c", "kind": "K"}),
        "spec.paramKind.apiVersion",
        "unexpected GroupVersion string",
    ),
    (
        VALIDATING,
        _policy(auditAnnotations=[{"key": "a", "valueExpression": "b"}] * 2),
        "spec.auditAnnotations[1].key",
        "Duplicate value",
    ),
    (
        VALIDATING,
        _policy(matchConstraints={"resourceRules": [{**RULE, "resourceNames": ["a/b"]}]}),
        "spec.matchConstraints.resourceRules[0].resourceNames[0]",
        "may not contain '/'",
    ),
    (MUTATING, _policy(mutations=[]), "spec.mutations", "at least one item"),
    (MUTATING, _mutation(patchType="Merge"), "spec.mutations[0].patchType", "Unsupported value"),
    (MUTATING, _mutation(patchType="JSONPatch"), "spec.mutations[0].jsonPatch", "Required value"),
    (
        MUTATING,
        _mutation(patchType="JSONPatch", applyConfiguration={"expression": "a"}),
        "spec.mutations[0].applyConfiguration",
        "must be specified only when patchType is ApplyConfiguration",
    ),
    (MUTATING, _policy(reinvocationPolicy="Often"), "spec.reinvocationPolicy", "Unsupported"),
    (VALIDATING_ADMISSION_POLICY_BINDING, {"spec": {}}, "spec.policyName", "Required value"),
    (
        VALIDATING_ADMISSION_POLICY_BINDING,
        {"spec": {"policyName": "a", "validationActions": ["Deny", "Warn"]}},
        "spec.validationActions",
        "must not contain both Deny and Warn",
    ),
    (
        VALIDATING_ADMISSION_POLICY_BINDING,
        {"spec": {"policyName": "a"}},
        "spec.validationActions",
        "at least one validation action is required",
    ),
    (
        MUTATING_ADMISSION_POLICY_BINDING,
        {"spec": {"policyName": "a", "paramRef": {}}},
        "spec.paramRef",
        "one of name or selector must be specified",
    ),
    (
        MUTATING_ADMISSION_POLICY_BINDING,
        {"spec": {"policyName": "a", "paramRef": {"name": "b", "selector": {}}}},
        "spec.paramRef.name",
        "mutually exclusive",
    ),
]


@pytest.mark.parametrize(
    ("kind", "tree", "field", "message"),
    WRONG_POLICIES,
    ids=[f"{kind.resource.kind} {field} {message}" for kind, _, field, message in WRONG_POLICIES],
)
def test_rules_of_policies(
    causes: Any, kind: Kind, tree: dict[str, Any], field: str, message: str
) -> None:
    assert message in causes(kind, tree).get(field, "")


def test_right_policies_are_right(causes: Any) -> None:
    assert causes(VALIDATING, _policy()) == {}
    assert causes(MUTATING, _policy()) == {}


def test_defaults_of_policies() -> None:
    tree: dict[str, Any] = {"kind": "MutatingAdmissionPolicy", **_policy()}
    tree["spec"]["matchConstraints"] = {"resourceRules": [dict(RULE)]}
    MUTATING.default(tree)
    spec = tree["spec"]
    assert (spec["failurePolicy"], spec["reinvocationPolicy"]) == ("Fail", "Never")
    assert spec["matchConstraints"]["matchPolicy"] == "Equivalent"
    assert spec["matchConstraints"]["resourceRules"][0]["scope"] == "*"
    binding: dict[str, Any] = {"spec": {"policyName": "a", "paramRef": {"name": "b"}}}
    MUTATING_ADMISSION_POLICY_BINDING.default(binding)
    assert binding["spec"]["paramRef"]["parameterNotFoundAction"] == "Deny"


def test_a_policy_counts_its_generations() -> None:
    old: dict[str, Any] = {"metadata": {"generation": 3}, **_policy()}
    for changed, generation in ((_policy(), 3), (_policy(failurePolicy="Ignore"), 4)):
        for kind in (VALIDATING, MUTATING):
            new: dict[str, Any] = {"metadata": {}, **changed}
            kind.prepare(new, old)
            assert new["metadata"]["generation"] == generation
