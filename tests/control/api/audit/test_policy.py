"""What the first matching rule of a policy says."""

from typing import Any

import msgspec
import pytest

from sampan.control.api.attributes import Attributes
from sampan.control.api.audit.policy import DEFAULT_POLICY, InvalidPolicy, policy_of
from sampan.foundation.wire.message import Identity

ANN = Identity("ann", ("builders", "system:authenticated"))
NODE = Identity("system:node:node-1", ("system:nodes",))
POD = Attributes("create", "/api/v1/namespaces/shop/pods", True, "", "v1", "pods", "", "shop", "a")
STATUS = msgspec.structs.replace(POD, subresource="status", verb="patch")
DEPLOYMENT = msgspec.structs.replace(POD, group="apps", resource="deployments")
NODES = Attributes("list", "/api/v1/nodes", True, "", "v1", "nodes")
PATH = Attributes("get", "/metrics/cadvisor")


def policy(*rules: Any, **particular: Any) -> Any:
    tree = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules, **particular}
    return policy_of(tree)


@pytest.mark.parametrize(
    ("rule", "attributes", "matched"),
    [
        ({}, POD, True),
        ({}, PATH, True),
        ({"users": ["ann"]}, POD, True),
        ({"users": ["bob"]}, POD, False),
        ({"userGroups": ["builders"]}, POD, True),
        ({"userGroups": ["system:masters"]}, POD, False),
        ({"verbs": ["delete"]}, POD, False),
        ({"namespaces": ["shop"]}, POD, True),
        ({"namespaces": ["other"]}, POD, False),
        ({"namespaces": [""]}, NODES, True),
        ({"namespaces": ["shop"]}, PATH, False),
        ({"nonResourceURLs": ["/metrics*"]}, PATH, True),
        ({"nonResourceURLs": ["/metrics"]}, PATH, False),
        ({"nonResourceURLs": ["*"]}, POD, False),
        ({"resources": [{"group": ""}]}, POD, True),
        ({"resources": [{"group": ""}]}, DEPLOYMENT, False),
        ({"resources": [{"group": ""}]}, PATH, False),
        ({"resources": [{"group": "", "resources": ["pods"]}]}, POD, True),
        ({"resources": [{"group": "", "resources": ["pods"]}]}, STATUS, False),
        ({"resources": [{"group": "", "resources": ["pods/status"]}]}, STATUS, True),
        ({"resources": [{"group": "", "resources": ["pods/*"]}]}, STATUS, True),
        ({"resources": [{"group": "", "resources": ["*/status"]}]}, STATUS, True),
        ({"resources": [{"group": "", "resources": ["*"]}]}, STATUS, True),
        ({"resources": [{"resources": ["pods"], "resourceNames": ["a"]}]}, POD, True),
        ({"resources": [{"resources": ["pods"], "resourceNames": ["b"]}]}, POD, False),
    ],
)
def test_rules(rule: Any, attributes: Attributes, matched: bool) -> None:
    found = policy({"level": "Request", **rule}).verdict(ANN, attributes)
    assert found.level == ("Request" if matched else "None")


def test_the_first_rule_counts() -> None:
    made = policy({"level": "None", "users": ["ann"]}, {"level": "Metadata"})
    assert made.verdict(ANN, POD).level == "None"
    assert made.verdict(NODE, POD).level == "Metadata"


def test_stages_and_managed_fields_are_omitted_by_the_policy_and_by_its_rules() -> None:
    made = policy(
        {"level": "Metadata", "omitStages": ["Panic"], "omitManagedFields": False},
        omitStages=["RequestReceived"],
        omitManagedFields=True,
    )
    found = made.verdict(ANN, POD)
    told = [it for it in ("RequestReceived", "ResponseComplete", "Panic") if found.tells(it)]
    assert told == ["ResponseComplete"]
    assert not found.omits_managed_fields


@pytest.mark.parametrize(
    ("tree", "complaint"),
    [
        (None, "Expected `object`"),
        ({"apiVersion": "audit.k8s.io/v1beta1", "kind": "Policy", "rules": []}, "apiVersion"),
        ({"apiVersion": "audit.k8s.io/v1", "kind": "Policy"}, "rules"),
        ({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": []}, "has no rules"),
        (
            {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "All"}]},
            "All",
        ),
        (
            {
                "apiVersion": "audit.k8s.io/v1",
                "kind": "Policy",
                "rules": [{"level": "None", "user": ["a"]}],
            },
            "user",
        ),
    ],
)
def test_what_is_no_policy_is_refused_and_says_why(tree: Any, complaint: str) -> None:
    with pytest.raises(InvalidPolicy, match=complaint):
        policy_of(tree)


def test_by_default_writes_are_told_of_and_chatter_is_not() -> None:
    lease = msgspec.structs.replace(POD, group="coordination.k8s.io", resource="leases")
    read = msgspec.structs.replace(POD, verb="get")
    levels = [DEFAULT_POLICY.verdict(ANN, it).level for it in (POD, STATUS, lease, read, PATH)]
    assert levels == ["Metadata", "Metadata", "None", "None", "None"]
    assert DEFAULT_POLICY.verdict(NODE, STATUS).level == "None"
