"""Which schema a request falls under, and who shares a flow."""

from typing import Any

import msgspec
import pytest

from sampan.control.api.attributes import Attributes
from sampan.control.api.fairness.classification import Classifier
from sampan.control.api.fairness.configuration import FlowSchema
from sampan.foundation.wire.message import Identity

ANN = Identity("ann", ("system:authenticated", "builders"))
BOT = Identity("system:serviceaccount:shop:bot", ("system:serviceaccounts",))
GET_POD = Attributes(
    "get", "/api/v1/namespaces/shop/pods/a", True, "", "v1", "pods", "", "shop", "a"
)
POD_LOG = msgspec.structs.replace(GET_POD, subresource="log")
LIST_NODES = Attributes("list", "/api/v1/nodes", True, "", "v1", "nodes")
HEALTH = Attributes("get", "/healthz/ping")
EVERYTHING = {
    "verbs": ["*"],
    "apiGroups": ["*"],
    "resources": ["*"],
    "namespaces": ["*"],
    "clusterScope": True,
}


def user(name: str) -> Any:
    return {"kind": "User", "user": {"name": name}}


def group(name: str) -> Any:
    return {"kind": "Group", "group": {"name": name}}


def account(namespace: str, name: str) -> Any:
    named = {"namespace": namespace, "name": name}
    return {"kind": "ServiceAccount", "serviceAccount": named}


def schema(name: str, precedence: int = 100, level: str = "level", **spec: Any) -> FlowSchema:
    tree = {
        "metadata": {"name": name, "uid": f"uid-of-{name}"},
        "spec": {
            "priorityLevelConfiguration": {"name": level},
            "matchingPrecedence": precedence,
            **spec,
        },
    }
    return msgspec.convert(tree, FlowSchema)


def rule(*subjects: Any, resource: Any = None, path: Any = None) -> Any:
    return {
        "subjects": subjects,
        "resourceRules": [resource] if resource else [],
        "nonResourceRules": [path] if path else [],
    }


def chosen(schemas: list[FlowSchema], identity: Identity, attributes: Attributes) -> str | None:
    flow = Classifier(schemas, ["level"]).classify(identity, attributes)
    return flow.schema.metadata.name if flow else None


@pytest.mark.parametrize(
    ("subject", "identity", "matched"),
    [
        (user("ann"), ANN, True),
        (user("*"), BOT, True),
        (user("bob"), ANN, False),
        (group("builders"), ANN, True),
        (group("*"), ANN, True),
        (group("system:masters"), ANN, False),
        (account("shop", "bot"), BOT, True),
        (account("shop", "*"), BOT, True),
        (account("other", "*"), BOT, False),
        (account("shop", "bo"), BOT, False),
    ],
)
def test_subjects(subject: Any, identity: Identity, matched: bool) -> None:
    only = schema("it", rules=[rule(subject, resource=EVERYTHING)])
    assert chosen([only], identity, GET_POD) == ("it" if matched else None)


@pytest.mark.parametrize(
    ("particular", "attributes", "matched"),
    [
        ({}, GET_POD, True),
        ({"verbs": ["list"]}, GET_POD, False),
        ({"apiGroups": ["apps"]}, GET_POD, False),
        ({"resources": ["pods"]}, GET_POD, True),
        ({"resources": ["pods"]}, POD_LOG, False),
        ({"resources": ["pods/log"]}, POD_LOG, True),
        ({"namespaces": ["shop"]}, GET_POD, True),
        ({"namespaces": ["other"]}, GET_POD, False),
        ({"namespaces": []}, LIST_NODES, True),
        ({"clusterScope": False}, LIST_NODES, False),
        ({}, HEALTH, False),
    ],
)
def test_resources(particular: Any, attributes: Attributes, matched: bool) -> None:
    only = schema("it", rules=[rule(user("*"), resource=EVERYTHING | particular)])
    assert chosen([only], ANN, attributes) == ("it" if matched else None)


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [("*", True), ("/healthz", False), ("/healthz/*", True), ("/healthz/ping", True)],
)
def test_paths(pattern: str, matched: bool) -> None:
    only = schema(
        "it", rules=[rule(user("*"), path={"verbs": ["*"], "nonResourceURLs": [pattern]})]
    )
    assert chosen([only], ANN, HEALTH) == ("it" if matched else None)


def test_the_first_in_precedence_counts_then_the_first_by_name() -> None:
    everyone = [rule(user("*"), resource=EVERYTHING)]
    schemas = [
        schema("late", 500, rules=everyone),
        schema("b", 100, rules=everyone),
        schema("a", 100, rules=everyone),
    ]
    assert chosen(schemas, ANN, GET_POD) == "a"


def test_a_schema_whose_level_is_missing_is_passed_over() -> None:
    everyone = [rule(user("*"), resource=EVERYTHING)]
    schemas = [schema("dangling", 1, "gone", rules=everyone), schema("it", rules=everyone)]
    assert chosen(schemas, ANN, GET_POD) == "it"


@pytest.mark.parametrize(
    ("method", "expected"),
    [(None, ""), ({"type": "ByUser"}, "ann"), ({"type": "ByNamespace"}, "shop")],
)
def test_flows(method: Any, expected: str) -> None:
    rules = [rule(user("*"), resource=EVERYTHING)]
    only = schema("it", rules=rules, distinguisherMethod=method)
    flow = Classifier([only], ["level"]).classify(ANN, GET_POD)
    assert flow is not None
    assert flow.distinguisher == expected
