"""Deployments and ReplicaSets."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.kubernetes.kinds.apps.deployments import DEPLOYMENT
from sampan.kubernetes.kinds.apps.replica_sets import REPLICA_SET

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def _deployment(**spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "i:1"}]},
    }
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec},
    }
    DEPLOYMENT.default(deployment)
    return deployment


def _causes(deployment: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, str]:
    return {cause.field: cause.message for cause in DEPLOYMENT.validate(deployment, old)}


def test_defaults() -> None:
    spec = _deployment()["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (
        1,
        10,
        600,
    )
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert spec["template"]["spec"]["containers"][0]["resources"] == {}


def test_a_recreating_deployment_gets_no_rolling_update() -> None:
    assert _deployment(strategy={"type": "Recreate"})["spec"]["strategy"] == {"type": "Recreate"}


def test_a_right_deployment_has_no_causes() -> None:
    assert _causes(_deployment()) == {}


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"selector": None}, "spec.selector", "Required value"),
        (
            {"selector": {}},
            "spec.selector",
            "Invalid value: {}: empty selector is invalid for deployment",
        ),
        (
            {"selector": {"matchLabels": {"a": "c"}}},
            "spec.template.metadata.labels",
            'Invalid value: {"a":"b"}: `selector` does not match template `labels`',
        ),
        (
            {"replicas": -1},
            "spec.replicas",
            "Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            {"strategy": {"type": "Magic"}},
            "spec.strategy.type",
            'Unsupported value: "Magic": supported values: "Recreate", "RollingUpdate"',
        ),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {}}},
            "spec.strategy.rollingUpdate",
            None,
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
            "spec.strategy.rollingUpdate.maxUnavailable",
            "Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": "many"}}},
            "spec.strategy.rollingUpdate.maxSurge",
            None,
        ),
        (
            {"progressDeadlineSeconds": 5, "minReadySeconds": 5},
            "spec.progressDeadlineSeconds",
            "Invalid value: 5: must be greater than minReadySeconds",
        ),
        (
            {"template": {"metadata": {"labels": {"a": "b"}}}},
            "spec.template.spec.containers",
            "Required value",
        ),
        (
            {
                "template": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]},
                }
            },
            "spec.template.spec.restartPolicy",
            'Unsupported value: "Never": supported values: "Always"',
        ),
    ],
)
def test_rules(spec: dict[str, Any], field: str, message: str | None) -> None:
    deployment = _deployment(**spec)
    causes = _causes(deployment)
    assert field in causes
    assert message is None or causes[field] == message


def test_the_selector_stays() -> None:
    old, new = (
        _deployment(),
        _deployment(selector={"matchExpressions": [{"key": "a", "operator": "Exists"}]}),
    )
    assert _causes(new, old)["spec.selector"].endswith("field is immutable")


def test_generations_count_the_changes_of_the_spec() -> None:
    first = _deployment()
    DEPLOYMENT.prepare(first, None)
    same = _deployment()
    DEPLOYMENT.prepare(same, first)
    scaled = _deployment(replicas=3)
    DEPLOYMENT.prepare(scaled, first)
    generations = [it["metadata"]["generation"] for it in (first, same, scaled)]
    assert generations == [1, 1, 2]


def test_columns() -> None:
    deployment = _deployment(replicas=3)
    deployment["status"] = {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1}
    deployment["metadata"]["creationTimestamp"] = "2026-01-01T11:54:30Z"
    assert [column.cell(deployment, NOW) for column in DEPLOYMENT.columns] == [
        "a", "2/3", 3, 1, "5m30s", "c", "i:1", "a=b",
    ]  # fmt: skip
    replica_set = {**deployment, "status": {"replicas": 3, "readyReplicas": 2}}
    cells = [column.cell(replica_set, NOW) for column in REPLICA_SET.columns]
    assert cells[1:4] == [3, 3, 2]
