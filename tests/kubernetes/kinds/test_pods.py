"""Pods: defaults, rules, quality of service, and what kubectl shows."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sampan.kubernetes.kinds.core.container_defaults import pull_policy
from sampan.kubernetes.kinds.core.pod_quality import quality_of_service
from sampan.kubernetes.kinds.core.pods import POD

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def _pod(spec: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    first = {"name": "c", "image": "i:1", **container}
    pod = {
        "metadata": {"name": "a", "namespace": "d"},
        "spec": {"containers": [first], **(spec or {})},
    }
    POD.default(pod)
    return pod


def _causes(pod: dict[str, Any], old: dict[str, Any] | None = None) -> dict[str, str]:
    return {cause.field: cause.message for cause in POD.validate(pod, old)}


def test_defaults() -> None:
    probe = {"httpGet": {"port": 80}}
    pod = _pod(
        {
            "volumes": [{"name": "v"}, {"name": "w", "configMap": {"name": "m"}}],
            "serviceAccountName": "s",
        },
        ports=[{"containerPort": 80}],
        livenessProbe=probe,
        resources={"limits": {"cpu": "1"}},
        env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    )
    spec = pod["spec"]
    assert spec["containers"] == [
        {
            "name": "c",
            "image": "i:1",
            "ports": [{"containerPort": 80, "protocol": "TCP"}],
            "livenessProbe": {
                "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                "timeoutSeconds": 1,
                "periodSeconds": 10,
                "successThreshold": 1,
                "failureThreshold": 3,
            },
            "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
            "env": [
                {
                    "name": "A",
                    "valueFrom": {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}},
                }
            ],
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "IfNotPresent",
        }
    ]
    assert spec["volumes"] == [
        {"name": "v", "emptyDir": {}},
        {"name": "w", "configMap": {"name": "m", "defaultMode": 420}},
    ]
    scalars = {key: it for key, it in spec.items() if key not in ("containers", "volumes")}
    assert scalars == {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
        "serviceAccountName": "s",
        "serviceAccount": "s",
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("a", "Always"),
        ("a:latest", "Always"),
        ("a:1", "IfNotPresent"),
        ("host:5000/a", "Always"),
        ("host:5000/a:1", "IfNotPresent"),
        ("a@sha256:0", "IfNotPresent"),
        ("a:latest@sha256:0", "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


def test_a_right_pod_has_no_causes() -> None:
    mount = {"name": "v", "mountPath": "/v"}
    spec = {"volumes": [{"name": "v"}], "tolerations": [{"operator": "Exists"}]}
    assert _causes(_pod(spec, volumeMounts=[mount])) == {}


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"containers": []}, "spec.containers", "Required value"),
        (
            {"restartPolicy": "Sometimes"},
            "spec.restartPolicy",
            'Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
        ),
        (
            {"terminationGracePeriodSeconds": -1},
            "spec.terminationGracePeriodSeconds",
            "Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            {"activeDeadlineSeconds": 0},
            "spec.activeDeadlineSeconds",
            "Invalid value: 0: must be between 1 and 2147483647, inclusive",
        ),
        ({"nodeSelector": {"a b": "c"}}, "spec.nodeSelector", None),
        ({"tolerations": [{"key": "a", "effect": "Maybe"}]}, "spec.tolerations[0].effect", None),
        ({"tolerations": [{"key": "", "operator": "Equal"}]}, "spec.tolerations[0].operator", None),
        (
            {"volumes": [{"name": "v"}, {"name": "v"}]},
            "spec.volumes[1].name",
            'Duplicate value: "v"',
        ),
        (
            {"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]},
            "spec.volumes[0].hostPath",
            "Forbidden: may not specify more than 1 volume type",
        ),
        ({"hostname": "A"}, "spec.hostname", None),
        ({"dnsPolicy": "None"}, "spec.dnsConfig.nameservers", None),
        ({"hostAliases": [{"ip": "x"}]}, "spec.hostAliases[0].ip", None),
        (
            {"initContainers": [{"name": "c", "image": "i"}]},
            "spec.initContainers[0].name",
            'Duplicate value: "c"',
        ),
        (
            {
                "topologySpreadConstraints": [
                    {"maxSkew": 0, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule"}
                ]
            },
            "spec.topologySpreadConstraints[0].maxSkew",
            "Invalid value: 0: must be greater than zero",
        ),
    ],
)
def test_rules_of_the_spec(spec: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(_pod(spec))
    assert field in causes
    assert message is None or causes[field] == message


@pytest.mark.parametrize(
    ("container", "field", "message"),
    [
        ({"name": ""}, "name", "Required value"),
        ({"name": "A_b"}, "name", None),
        ({"image": ""}, "image", "Required value"),
        (
            {"imagePullPolicy": "Perhaps"},
            "imagePullPolicy",
            'Unsupported value: "Perhaps": supported values: "Always", "IfNotPresent", "Never"',
        ),
        (
            {"ports": [{"containerPort": 0}]},
            "ports[0].containerPort",
            "Required value",
        ),
        (
            {"ports": [{"containerPort": 1, "name": "x"}, {"containerPort": 2, "name": "x"}]},
            "ports[1].name",
            'Duplicate value: "x"',
        ),
        ({"ports": [{"containerPort": 1, "protocol": "HTTP"}]}, "ports[0].protocol", None),
        ({"env": [{"name": "A=B"}]}, "env[0].name", None),
        (
            {"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {}}}]},
            "env[0].valueFrom",
            'Invalid value: "": may not be specified when `value` is not empty',
        ),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
            "volumeMounts[0].name",
            'Not found: "v"',
        ),
        (
            {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}},
            "resources.requests",
            'Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
        (
            {"resources": {"limits": {"cpu": "-1"}}},
            "resources.limits[cpu]",
            'Invalid value: "-1": must be greater than or equal to 0',
        ),
        ({"resources": {"limits": {"speed": "1"}}}, "resources.limits[speed]", None),
        ({"livenessProbe": {}}, "livenessProbe", "Required value: must specify a handler type"),
        (
            {"livenessProbe": {"exec": {"command": ["a"]}, "successThreshold": 2}},
            "livenessProbe.successThreshold",
            "Invalid value: 2: must be 1",
        ),
        (
            {"readinessProbe": {"exec": {"command": ["a"]}, "periodSeconds": -1}},
            "readinessProbe.periodSeconds",
            "Invalid value: -1: must be greater than or equal to 0",
        ),
        ({"readinessProbe": {"tcpSocket": {"port": 70000}}}, "readinessProbe.tcpSocket.port", None),
    ],
)
def test_rules_of_containers(container: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(_pod(**container))
    path = f"spec.containers[0].{field}"
    assert path in causes
    assert message is None or causes[path] == message


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"runAsUser": -1}, "runAsUser"),
        ({"fsGroup": 2**31}, "fsGroup"),
        (
            {"seccompProfile": {"type": "Localhost", "localhostProfile": ""}},
            "seccompProfile.localhostProfile",
        ),
        (
            {"seccompProfile": {"type": "Localhost", "localhostProfile": "../a"}},
            "seccompProfile.localhostProfile",
        ),
        (
            {"seccompProfile": {"type": "Unconfined", "localhostProfile": "a"}},
            "seccompProfile.localhostProfile",
        ),
        ({"seccompProfile": {"type": "Magic"}}, "seccompProfile.type"),
        ({"sysctls": [{"name": "net.ipv4+x", "value": "1"}]}, "sysctls[0].name"),
        (
            {"sysctls": [{"name": "a.b", "value": "1"}, {"name": "a/b", "value": "1"}]},
            "sysctls[1].name",
        ),
    ],
)
def test_rules_of_security(context: dict[str, Any], field: str) -> None:
    assert f"spec.securityContext.{field}" in _causes(_pod({"securityContext": context}))


def test_privilege_is_not_both_given_and_refused() -> None:
    context = {"privileged": True, "allowPrivilegeEscalation": False}
    assert "spec.containers[0].securityContext" in _causes(_pod(securityContext=context))


def test_a_subpath_stays_below_its_volume() -> None:
    mount = {"name": "v", "mountPath": "/v", "subPath": "a/../../b"}
    causes = _causes(_pod({"volumes": [{"name": "v"}]}, volumeMounts=[mount]))
    assert causes["spec.containers[0].volumeMounts[0].subPath"].endswith("must not contain '..'")


def test_an_update_may_change_the_image_alone() -> None:
    old, new = _pod(), _pod(image="i:2")
    assert _causes(new, old) == {}
    new["spec"]["tolerations"] = [{"operator": "Exists"}]
    assert _causes(new, old) == {}
    new["spec"]["containers"][0]["command"] = ["x"]
    assert _causes(new, old)["spec"].startswith("Forbidden: pod updates may not change fields")
    more = _pod()
    more["spec"]["containers"].append({**more["spec"]["containers"][0], "name": "d"})
    assert "may not add or remove containers" in _causes(more, old)["spec.containers"]


def test_a_new_pod_is_pending_and_its_writer_sets_no_status() -> None:
    pod = _pod()
    pod["status"] = {"phase": "Running"}
    POD.prepare(pod, None)
    assert pod["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert pod["metadata"]["generation"] == 1


def test_an_update_keeps_the_status_and_counts_generations() -> None:
    old = _pod()
    POD.prepare(old, None)
    new = _pod(image="i:2")
    new["status"] = {"phase": "Failed"}
    POD.prepare(new, old)
    assert new["status"]["phase"] == "Pending"
    assert new["metadata"]["generation"] == 2


def test_a_status_write_changes_the_status_alone() -> None:
    old = _pod()
    new = _pod(image="i:2")
    new["status"] = {"phase": "Running"}
    POD.prepare_status(new, old)
    assert new["status"] == {"phase": "Running"}
    assert new["spec"] == old["spec"]


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "0"}}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        (
            {
                "limits": {"cpu": "1", "memory": "1Gi"},
                "requests": {"cpu": "1000m", "memory": "1024Mi"},
            },
            "Guaranteed",
        ),
        (
            {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Mi"}},
            "Burstable",
        ),
        ({"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}, "Burstable"),
    ],
)
def test_quality_of_service(resources: dict[str, Any], quality: str) -> None:
    assert quality_of_service({"containers": [{"resources": resources}]}) == quality


def _cells(pod: dict[str, Any]) -> dict[str, Any]:
    return {column.name: column.cell(pod, NOW) for column in POD.columns}


def _with_status(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    containers = [{"name": it["name"]} for it in status.get("containerStatuses", [{"name": "c"}])]
    init = [{"name": it["name"]} for it in status.get("initContainerStatuses", [])]
    spec = {"containers": containers, "initContainers": init}
    return {"metadata": {"name": "a", **metadata}, "spec": spec, "status": status}


def _state(name: str = "c", ready: bool = False, restarts: int = 0, **state: Any) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state}


@pytest.mark.parametrize(
    ("status", "reason", "ready"),
    [
        ({"phase": "Pending"}, "Pending", "0/1"),
        (
            {"phase": "Running", "containerStatuses": [_state(ready=True, running={})]},
            "Running",
            "1/1",
        ),
        (
            {
                "phase": "Running",
                "containerStatuses": [_state(waiting={"reason": "CrashLoopBackOff"})],
            },
            "CrashLoopBackOff",
            "0/1",
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [_state(terminated={"exitCode": 137, "reason": "OOMKilled"})],
            },
            "OOMKilled",
            "0/1",
        ),
        (
            {
                "phase": "Succeeded",
                "containerStatuses": [_state(terminated={"exitCode": 0, "reason": "Completed"})],
            },
            "Completed",
            "0/1",
        ),
        (
            {"phase": "Failed", "containerStatuses": [_state(terminated={"exitCode": 3})]},
            "ExitCode:3",
            "0/1",
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [_state(terminated={"exitCode": 1, "signal": 9})],
            },
            "Signal:9",
            "0/1",
        ),
        (
            {"phase": "Pending", "initContainerStatuses": [_state("i", running={})]},
            "Init:0/1",
            "0/1",
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [_state("i", waiting={"reason": "ErrImagePull"})],
            },
            "Init:ErrImagePull",
            "0/1",
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [_state("i", terminated={"exitCode": 2})],
            },
            "Init:ExitCode:2",
            "0/1",
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [_state("i", terminated={"exitCode": 0})],
                "containerStatuses": [_state(waiting={"reason": "PodInitializing"})],
            },
            "PodInitializing",
            "0/1",
        ),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted", "0/1"),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}],
            },
            "SchedulingGated",
            "0/1",
        ),
        (
            {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [
                    _state("a", terminated={"exitCode": 0, "reason": "Completed"}),
                    _state("b", ready=True, running={}),
                ],
            },
            "Running",
            "1/2",
        ),
    ],
)
def test_status_and_ready(status: dict[str, Any], reason: str, ready: str) -> None:
    cells = _cells(_with_status(status))
    assert (cells["Status"], cells["Ready"]) == (reason, ready)


def test_a_pod_that_is_being_deleted_is_terminating() -> None:
    deleted = {"deletionTimestamp": "2026-01-01T12:00:00Z"}
    assert _cells(_with_status({"phase": "Running"}, **deleted))["Status"] == "Terminating"
    assert _cells(_with_status({"phase": "Failed"}, **deleted))["Status"] == "Failed"
    lost = {"phase": "Running", "reason": "NodeLost"}
    assert _cells(_with_status(lost, **deleted))["Status"] == "Unknown"


def test_restarts_tell_when_the_last_one_was() -> None:
    status = _state(restarts=2, running={})
    assert _cells(_with_status({"containerStatuses": [status]}))["Restarts"] == "2"
    status["lastState"] = {"terminated": {"finishedAt": "2026-01-01T11:59:55Z"}}
    assert _cells(_with_status({"containerStatuses": [status]}))["Restarts"] == "2 (5s ago)"


def test_a_sidecar_counts_as_a_container() -> None:
    pod = _with_status(
        {
            "phase": "Running",
            "initContainerStatuses": [{**_state("s", ready=True, running={}), "started": True}],
            "containerStatuses": [_state(ready=True, running={})],
        }
    )
    pod["spec"]["initContainers"] = [{"name": "s", "restartPolicy": "Always"}]
    cells = _cells(pod)
    assert (cells["Status"], cells["Ready"]) == ("Running", "2/2")


def test_wide_columns() -> None:
    pod = _with_status({"podIPs": [{"ip": "10.42.0.5"}]})
    pod["spec"]["nodeName"] = "node-1"
    cells = _cells(pod)
    assert (cells["IP"], cells["Node"], cells["Nominated Node"]) == (
        "10.42.0.5",
        "node-1",
        "<none>",
    )
