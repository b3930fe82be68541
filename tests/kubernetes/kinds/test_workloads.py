"""StatefulSets, DaemonSets, ControllerRevisions and ReplicationControllers."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.kubernetes.kinds.apps.controller_revisions import CONTROLLER_REVISION
from sampan.kubernetes.kinds.apps.daemon_sets import DAEMON_SET
from sampan.kubernetes.kinds.apps.stateful_sets import STATEFUL_SET
from sampan.kubernetes.kinds.core.replication_controllers import REPLICATION_CONTROLLER
from sampan.kubernetes.kinds.kind import Kind

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
LABELS = {"a": "b"}


def _workload(kind: Kind, **spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": dict(LABELS)},
        "spec": {"containers": [{"name": "c", "image": "i:1"}]},
    }
    selector = {"selector": {"matchLabels": dict(LABELS)}}
    if kind is REPLICATION_CONTROLLER:
        selector = {}
    workload = {
        "kind": kind.resource.kind,
        "metadata": {"name": "a", "namespace": "d"},
        "spec": {**selector, "template": template, **spec},
    }
    kind.default(workload)
    return workload


def _causes(kind: Kind, new: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, str]:
    return {cause.field: cause.message for cause in kind.validate(new, old)}


def test_defaults_of_a_stateful_set() -> None:
    spec = _workload(STATEFUL_SET, volumeClaimTemplates=[{"metadata": {"name": "v"}}])["spec"]
    assert spec["podManagementPolicy"] == "OrderedReady"
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert spec["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
    }
    assert (spec["replicas"], spec["revisionHistoryLimit"]) == (1, 10)
    assert spec["volumeClaimTemplates"] == [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "v"},
            "spec": {"volumeMode": "Filesystem"},
            "status": {"phase": "Pending"},
        }
    ]


def test_defaults_of_a_daemon_set() -> None:
    spec = _workload(DAEMON_SET)["spec"]
    rolling = {"maxUnavailable": 1, "maxSurge": 0}
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert "replicas" not in spec
    other = _workload(DAEMON_SET, updateStrategy={"type": "OnDelete"})["spec"]
    assert other["updateStrategy"] == {"type": "OnDelete"}


def test_a_replication_controller_takes_its_labels_from_the_template() -> None:
    controller = _workload(REPLICATION_CONTROLLER)
    assert controller["spec"]["selector"] == LABELS
    assert controller["metadata"]["labels"] == LABELS
    assert _causes(REPLICATION_CONTROLLER, controller) == {}


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        (
            {"podManagementPolicy": "Magic"},
            "spec.podManagementPolicy",
            "Invalid value: \"Magic\": must be 'OrderedReady' or 'Parallel'",
        ),
        (
            {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}},
            "spec.updateStrategy.rollingUpdate",
            "Invalid value: {\"partition\":1}: only allowed for updateStrategy 'RollingUpdate'",
        ),
        ({"updateStrategy": {"type": "Magic"}}, "spec.updateStrategy", None),
        (
            {"updateStrategy": {"rollingUpdate": {"partition": -1}}},
            "spec.updateStrategy.rollingUpdate.partition",
            None,
        ),
        (
            {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0}}},
            "spec.updateStrategy.rollingUpdate.maxUnavailable",
            "Invalid value: 0: cannot be 0",
        ),
        (
            {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Keep"}},
            "spec.persistentVolumeClaimRetentionPolicy.whenDeleted",
            'Unsupported value: "Keep": supported values: "Delete", "Retain"',
        ),
        ({"ordinals": {"start": -1}}, "spec.ordinals.start", None),
        ({"serviceName": "A b"}, "spec.serviceName", None),
        (
            {"selector": {}},
            "spec.selector",
            "Invalid value: {}: empty selector is invalid for statefulset",
        ),
    ],
)
def test_rules_of_stateful_sets(spec: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(STATEFUL_SET, _workload(STATEFUL_SET, **spec))
    assert field in causes
    assert message is None or causes[field] == message


def test_little_of_a_stateful_set_may_change() -> None:
    old = _workload(STATEFUL_SET, serviceName="a")
    scaled = _workload(STATEFUL_SET, serviceName="a", replicas=3, minReadySeconds=5)
    assert _causes(STATEFUL_SET, scaled, old) == {}
    moved = _workload(STATEFUL_SET, serviceName="b")
    assert _causes(STATEFUL_SET, moved, old)["spec"].startswith(
        "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "
    )


@pytest.mark.parametrize(
    ("rolling", "field", "message"),
    [
        (
            {"maxUnavailable": 0},
            "maxUnavailable",
            "Required value: cannot be 0 when maxSurge is 0",
        ),
        ({"maxUnavailable": 1, "maxSurge": 1}, "maxSurge", None),
        ({"maxUnavailable": "x"}, "maxUnavailable", None),
        (
            {"maxUnavailable": "101%"},
            "maxUnavailable",
            'Invalid value: "101%": must not be greater than 100%',
        ),
    ],
)
def test_rules_of_daemon_sets(rolling: dict[str, Any], field: str, message: str | None) -> None:
    daemon_set = _workload(DAEMON_SET, updateStrategy={"rollingUpdate": rolling})
    causes = _causes(DAEMON_SET, daemon_set)
    path = f"spec.updateStrategy.rollingUpdate.{field}"
    assert path in causes
    assert message is None or causes[path] == message


def test_the_selector_of_a_daemon_set_stays() -> None:
    expression = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
    new = _workload(DAEMON_SET, selector=expression)
    assert "field is immutable" in _causes(DAEMON_SET, new, _workload(DAEMON_SET))["spec.selector"]


@pytest.mark.parametrize("kind", [STATEFUL_SET, DAEMON_SET, REPLICATION_CONTROLLER])
def test_pods_of_a_template_run_for_ever(kind: Kind) -> None:
    workload = _workload(kind)
    workload["spec"]["template"]["spec"] |= {"restartPolicy": "Never", "activeDeadlineSeconds": 5}
    causes = _causes(kind, workload)
    assert causes["spec.template.spec.restartPolicy"] == (
        'Unsupported value: "Never": supported values: "Always"'
    )
    assert causes["spec.template.spec.activeDeadlineSeconds"] == (
        f"Forbidden: activeDeadlineSeconds in {kind.resource.kind} is not Supported"
    )


def test_a_new_workload_has_the_status_of_one_that_has_done_nothing() -> None:
    for kind, status in (
        (STATEFUL_SET, {"replicas": 0, "availableReplicas": 0}),
        (REPLICATION_CONTROLLER, {"replicas": 0}),
        (
            DAEMON_SET,
            {
                "currentNumberScheduled": 0,
                "numberMisscheduled": 0,
                "desiredNumberScheduled": 0,
                "numberReady": 0,
            },
        ),
    ):
        workload = _workload(kind)
        workload["status"] = {"observedGeneration": 7}
        kind.prepare(workload, None)
        assert workload["status"] == status
        assert workload["metadata"]["generation"] == 1


def test_a_revision_keeps_its_data() -> None:
    old = {"metadata": {"name": "a", "namespace": "d"}, "data": {"x": 1}, "revision": 1}
    same = {**old, "revision": 2}
    other = {**old, "data": {"x": 2}}
    missing = {"metadata": old["metadata"], "revision": -1}
    assert _causes(CONTROLLER_REVISION, same, old) == {}
    assert "field is immutable" in _causes(CONTROLLER_REVISION, other, old)["data"]
    assert _causes(CONTROLLER_REVISION, missing) == {
        "data": "Required value: data is mandatory",
        "revision": "Invalid value: -1: must be greater than or equal to 0",
    }


def test_columns() -> None:
    stateful_set = _workload(STATEFUL_SET, replicas=3)
    stateful_set["status"] = {"readyReplicas": 2}
    assert [column.cell(stateful_set, NOW) for column in STATEFUL_SET.columns] == [
        "a", "2/3", "<unknown>", "c", "i:1",
    ]  # fmt: skip
    daemon_set = _workload(DAEMON_SET)
    daemon_set["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    daemon_set["status"] = {"desiredNumberScheduled": 3, "numberReady": 1}
    cells = [column.cell(daemon_set, NOW) for column in DAEMON_SET.columns]
    assert cells[1:7] == [3, 0, 1, 0, 0, "disk=ssd"]
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "controller": True}
    revision = {"metadata": {"name": "a", "ownerReferences": [owner]}, "revision": 4}
    cells = [column.cell(revision, NOW) for column in CONTROLLER_REVISION.columns]
    assert cells[1:3] == ["statefulset.apps/web", 4]
