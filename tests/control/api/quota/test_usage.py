"""What objects count for, and which quotas look at them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.control.api.quota.usage import is_in_scope, unspecified, usage_of
from sampan.kubernetes.kinds.all import BY_RESOURCE
from sampan.kubernetes.kinds.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    SERVICES,
    Resource,
)
from sampan.kubernetes.machinery.pod_resources import shown

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
LIMITS = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}}


def used(resource: Resource, tree: Any) -> dict[str, str]:
    found = usage_of(BY_RESOURCE[resource], {"metadata": {}} | tree, NOW)
    return {name: shown(name, value) for name, value in found.items()}


def pod(*resources: Any, **spec: Any) -> Any:
    names = "abc"
    containers = [{"name": names[at], "resources": it} for at, it in enumerate(resources)]
    return {"metadata": {}, "spec": {"containers": containers, **spec}}


def test_pods() -> None:
    assert used(PODS, pod(LIMITS, LIMITS)) == {
        "count/pods": "1",
        "pods": "1",
        "cpu": "1",
        "requests.cpu": "1",
        "memory": "2Gi",
        "requests.memory": "2Gi",
        "limits.cpu": "2",
        "limits.memory": "4Gi",
    }


@pytest.mark.parametrize(
    "over",
    [
        {"status": {"phase": "Succeeded"}},
        {
            "metadata": {
                "deletionTimestamp": "2026-01-01T11:59:00Z",
                "deletionGracePeriodSeconds": 30,
            }
        },
    ],
)
def test_pods_that_are_over_only_count_as_objects(over: Any) -> None:
    assert used(PODS, {**pod(LIMITS), **over}) == {"count/pods": "1"}


def test_claims_count_by_their_class_as_well() -> None:
    spec = {"storageClassName": "fast", "resources": {"requests": {"storage": "2Gi"}}}
    prefix = "fast.storageclass.storage.k8s.io/"
    assert used(PERSISTENT_VOLUME_CLAIMS, {"spec": spec}) == {
        "count/persistentvolumeclaims": "1",
        "persistentvolumeclaims": "1",
        "requests.storage": "2Gi",
        prefix + "persistentvolumeclaims": "1",
        prefix + "requests.storage": "2Gi",
    }


@pytest.mark.parametrize(
    ("spec", "ports", "balancers"),
    [
        ({"type": "ClusterIP", "ports": [{}]}, "0", "0"),
        ({"type": "NodePort", "ports": [{}, {}]}, "2", "0"),
        ({"type": "LoadBalancer", "ports": [{}]}, "1", "1"),
        (
            {"type": "LoadBalancer", "ports": [{}], "allocateLoadBalancerNodePorts": False},
            "0",
            "1",
        ),
    ],
)
def test_services(spec: Any, ports: str, balancers: str) -> None:
    found = used(SERVICES, {"spec": spec})
    assert found["services.nodeports"] == ports
    assert found["services.loadbalancers"] == balancers


def test_other_kinds_count_as_objects() -> None:
    assert used(CONFIG_MAPS, {}) == {"count/configmaps": "1", "configmaps": "1"}
    assert used(DEPLOYMENTS, {}) == {"count/deployments.apps": "1"}


def test_what_is_limited_must_be_said() -> None:
    hard = ["limits.cpu", "cpu", "requests.memory", "pods"]
    given = pod(LIMITS, {}, {"requests": {"cpu": "1"}})
    missing = unspecified(BY_RESOURCE[PODS], given, hard)
    assert missing == "cpu for: b; limits.cpu for: b,c; requests.memory for: b,c"
    assert unspecified(BY_RESOURCE[CONFIG_MAPS], {}, hard) == ""


@pytest.mark.parametrize(
    ("scope", "given", "matched"),
    [
        ("Terminating", pod(activeDeadlineSeconds=5), True),
        ("Terminating", pod(), False),
        ("NotTerminating", pod(), True),
        ("BestEffort", pod({}), True),
        ("BestEffort", pod(LIMITS), False),
        ("NotBestEffort", pod(LIMITS), True),
        ("PriorityClass", pod(priorityClassName="high"), True),
        ("PriorityClass", pod(), False),
        (
            "CrossNamespacePodAffinity",
            pod(
                affinity={
                    "podAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [{"namespaces": ["x"]}]
                    }
                }
            ),
            True,
        ),
        ("CrossNamespacePodAffinity", pod(), False),
    ],
)
def test_scopes(scope: str, given: Any, matched: bool) -> None:
    assert is_in_scope({"scopes": [scope]}, BY_RESOURCE[PODS], given) is matched
    assert not is_in_scope({"scopes": [scope]}, BY_RESOURCE[CONFIG_MAPS], {})


@pytest.mark.parametrize(
    ("operator", "values", "matched"),
    [
        ("In", ["high"], True),
        ("In", ["low"], False),
        ("NotIn", ["low"], True),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
    ],
)
def test_scopes_by_value(operator: str, values: list[str], matched: bool) -> None:
    expression = {"scopeName": "PriorityClass", "operator": operator, "values": values}
    spec = {"scopeSelector": {"matchExpressions": [expression]}}
    assert is_in_scope(spec, BY_RESOURCE[PODS], pod(priorityClassName="high")) is matched
