"""What a Deployment's plan does, step by step, and what its status says."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sampan.control.controllers import deployment as deployments
from sampan.control.controllers.deployment_scaling import limits, old_sizes, proportional_sizes
from sampan.control.controllers.plan import Create, Delete, Patch, Plan
from sampan.control.controllers.template_hash import template_hash
from sampan.control.controllers.views import Deployment, ReplicaSet
from sampan.testing import objects

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
OWNER = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "name": "web",
    "uid": "d",
    "controller": True,
}


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def the_deployment(replicas: int = 3, version: str = "1", **fields: Any) -> Deployment:
    spec = {"progressDeadlineSeconds": 600, **fields.pop("spec", {})}
    body = objects.deployment(replicas=replicas, version=version, **spec)
    marks = {"deployment.kubernetes.io/revision": version}
    metadata = {"uid": "d", "generation": 1, "annotations": marks}
    body["metadata"] |= metadata | fields.pop("metadata", {})
    return msgspec.json.decode(msgspec.json.encode({**body, **fields}), type=Deployment)


def the_set(
    version: str,
    replicas: int,
    *,
    ready: int | None = None,
    revision: int = 1,
    of: int = 3,
    most: int = 4,
) -> ReplicaSet:
    count = replicas if ready is None else ready
    body = {
        "metadata": {
            "name": f"web-{version}",
            "namespace": "default",
            "uid": f"rs-{version}",
            "generation": 1,
            "creationTimestamp": f"2026-01-01T00:00:0{version}Z",
            "labels": {"app": "web"},
            "ownerReferences": [OWNER],
            "annotations": {
                "deployment.kubernetes.io/revision": str(revision),
                "deployment.kubernetes.io/desired-replicas": str(of),
                "deployment.kubernetes.io/max-replicas": str(most),
            },
        },
        "spec": {"replicas": replicas, "template": objects.pod_template(version)},
        "status": {
            "replicas": replicas,
            "readyReplicas": count,
            "availableReplicas": count,
            "observedGeneration": 1,
        },
    }
    return msgspec.json.decode(msgspec.json.encode(body), type=ReplicaSet)


def planned(deployment: Deployment, *sets: ReplicaSet, pods: dict[str, int] | None = None) -> Plan:
    return deployments.plan(deployments.Snapshot(deployment, sets, pods or {}), NOW)


def sizes(plan: Plan) -> dict[str, int]:
    return {
        action.name: action.body["spec"]["replicas"]
        for action in plan.actions
        if isinstance(action, Patch) and "replicas" in action.body.get("spec", {})
    }


def status(plan: Plan) -> dict[str, Any]:
    action = plan.actions[-1]
    assert isinstance(action, Patch)
    assert action.subresource == "status"
    found: dict[str, Any] = action.body["status"]
    return found


def condition(plan: Plan, kind: str) -> dict[str, Any]:
    return next(each for each in status(plan)["conditions"] if each["type"] == kind)


def test_the_first_replica_set_is_created_whole() -> None:
    plan = planned(the_deployment())
    create = plan.actions[0]
    assert isinstance(create, Create)
    name = create.body["metadata"]["name"]
    value = name.removeprefix("web-")
    assert create.body["spec"]["replicas"] == 3
    assert create.body["metadata"]["labels"]["pod-template-hash"] == value
    assert create.body["spec"]["selector"]["matchLabels"] == {
        "app": "web",
        "pod-template-hash": value,
    }
    assert create.body["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] == value
    assert create.body["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert create.success is not None
    assert create.success.message == f"Scaled up replica set {name} from 0 to 3"


def test_the_hash_ignores_its_own_label_and_the_order_of_fields() -> None:
    template = objects.pod_template()
    labelled = {**template, "metadata": {"labels": {"pod-template-hash": "x", "app": "web"}}}
    backwards = dict(reversed(labelled.items()))
    assert (
        template_hash(raw(template))
        == template_hash(raw(labelled))
        == template_hash(raw(backwards))
    )
    assert template_hash(raw(template)) != template_hash(raw(objects.pod_template("2")))


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (3, "25%", "25%", (1, 0)),
        (10, "25%", "25%", (3, 2)),
        (4, 0, 0, (0, 1)),
        (1, "0%", "10%", (0, 1)),
        (2, 5, 5, (5, 2)),
        (0, "25%", "25%", (0, 0)),
    ],
)
def test_percentages_round_up_for_the_surge_and_down_for_the_unavailable(
    replicas: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]
) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    found = limits(the_deployment(replicas, spec={"strategy": strategy}))
    assert (found.surge, found.unavailable) == expected


def test_an_update_adds_the_surge_first() -> None:
    plan = planned(the_deployment(version="2"), the_set("1", 3))
    create = plan.actions[0]
    assert isinstance(create, Create)
    assert create.body["spec"]["replicas"] == 1
    assert create.body["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    assert condition(plan, "Progressing")["reason"] == "ReplicaSetUpdated"


def test_an_old_pod_goes_for_each_new_one_that_is_available() -> None:
    deployment = the_deployment(version="2")
    assert sizes(planned(deployment, the_set("1", 3), the_set("2", 1, ready=0, revision=2))) == {}
    plan = planned(deployment, the_set("1", 3), the_set("2", 1, revision=2))
    assert sizes(plan) == {"web-1": 2}


def test_the_surge_waits_until_an_old_pod_is_gone() -> None:
    old = msgspec.structs.replace(
        the_set("1", 2), status=msgspec.structs.replace(the_set("1", 2).status, replicas=3)
    )
    plan = planned(the_deployment(version="2"), old, the_set("2", 1, revision=2))
    assert sizes(plan) == {}


def test_nothing_grows_while_a_replica_set_has_not_told_what_it_has() -> None:
    resized = msgspec.structs.replace(the_set("1", 2).metadata, generation=2)
    old = msgspec.structs.replace(the_set("1", 2), metadata=resized)
    assert sizes(planned(the_deployment(version="2"), old, the_set("2", 1, revision=2))) == {}
    assert sizes(planned(the_deployment(9, version="2"), old, the_set("2", 1, revision=2))) == {}


def test_unavailable_old_pods_go_first() -> None:
    broken, good = the_set("1", 2, ready=0), the_set("2", 3, revision=2)
    deployment = the_deployment(4, version="3")
    assert old_sizes(deployment, the_set("3", 0, revision=3), (broken, good)) == {"web-1": 0}


def test_undo_takes_an_old_replica_set_up_again_under_a_new_revision() -> None:
    deployment = the_deployment(
        metadata={"annotations": {"deployment.kubernetes.io/revision": "2"}}
    )
    plan = planned(deployment, the_set("1", 0), the_set("2", 3, revision=2))
    patch, mark = plan.actions[:2]
    assert isinstance(patch, Patch)
    assert patch.name == "web-1"
    assert patch.body["spec"]["replicas"] == 1
    annotations = patch.body["metadata"]["annotations"]
    assert annotations["deployment.kubernetes.io/revision"] == "3"
    assert annotations["deployment.kubernetes.io/revision-history"] == "1"
    assert isinstance(mark, Patch)
    assert mark.body == {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "3"}}}


def test_a_complete_rollout_says_so_and_trims_its_history() -> None:
    deployment = the_deployment(version="3", spec={"revisionHistoryLimit": 1})
    plan = planned(
        deployment,
        the_set("1", 0, revision=1),
        the_set("2", 0, revision=2),
        the_set("3", 3, revision=3),
    )
    removal = plan.actions[0]
    assert isinstance(removal, Delete)
    assert removal.name == "web-1"
    assert status(plan)["updatedReplicas"] == 3
    assert condition(plan, "Available")["status"] == "True"


def test_progress_ends_in_new_replica_set_available() -> None:
    plan = planned(the_deployment(), the_set("1", 3))
    assert condition(plan, "Progressing")["reason"] == "NewReplicaSetAvailable"


def test_a_rollout_that_stands_still_exceeds_its_deadline() -> None:
    stuck = {
        "type": "Progressing",
        "status": "True",
        "reason": "ReplicaSetUpdated",
        "lastUpdateTime": "2026-01-01T00:00:00Z",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    deployment = the_deployment(
        version="2",
        spec={"progressDeadlineSeconds": 60},
        status={
            "replicas": 4,
            "updatedReplicas": 1,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "conditions": [stuck],
        },
    )
    plan = planned(deployment, the_set("1", 3), the_set("2", 1, ready=0, revision=2))
    found = condition(plan, "Progressing")
    assert (found["status"], found["reason"]) == ("False", "ProgressDeadlineExceeded")


def test_a_paused_deployment_is_resized_but_not_rolled_out() -> None:
    deployment = the_deployment(5, version="2", spec={"paused": True})
    plan = planned(deployment, the_set("1", 3))
    assert sizes(plan) == {"web-1": 5}
    assert condition(plan, "Progressing")["reason"] == "DeploymentPaused"


def test_a_change_of_size_in_the_middle_of_an_update_is_shared() -> None:
    old, new = the_set("1", 8, of=10, most=13), the_set("2", 5, ready=2, of=10, most=13)
    shared = proportional_sizes(the_deployment(15, version="2"), (old, new))
    assert sum(shared.values()) == 15 + 4
    assert shared == {"web-1": 12, "web-2": 7}


def test_scaling_to_nothing_takes_every_set_down() -> None:
    plan = planned(the_deployment(0, version="2"), the_set("1", 2), the_set("2", 2))
    assert sizes(plan) == {"web-1": 0, "web-2": 0}


def test_recreate_waits_until_the_last_old_pod_is_gone() -> None:
    deployment = the_deployment(version="2", spec={"strategy": {"type": "Recreate"}})
    assert sizes(planned(deployment, the_set("1", 3))) == {"web-1": 0}
    waiting = planned(deployment, the_set("1", 0), pods={"rs-1": 1})
    assert not [action for action in waiting.actions if isinstance(action, Create)]
    ready = planned(deployment, the_set("1", 0), pods={"rs-1": 0})
    create = ready.actions[0]
    assert isinstance(create, Create)
    assert create.body["spec"]["replicas"] == 3
