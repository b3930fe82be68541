"""Pods in depth: every part of the spec, what an update may change, and the subresources that
write a part of the spec."""

from typing import Any

import msgspec
import pytest

from sampan.kubernetes.kinds.core.pods import POD

TERMS = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def _pod(spec: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    pod = {
        "kind": "Pod",
        "metadata": {"name": "a", "namespace": "d"},
        "spec": {"containers": [{"name": "c", "image": "i:1", **container}], **(spec or {})},
    }
    pod = _copied(pod)
    POD.default(pod)
    return pod


def _copied(tree: dict[str, Any]) -> dict[str, Any]:
    copied: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(tree))
    return copied


def _causes(
    pod: dict[str, Any], old: dict[str, Any] | None = None, subresource: str = ""
) -> dict[str, str]:
    return {cause.field: cause.message for cause in POD.causes(subresource, pod, old)}


def _node_affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"affinity": {"nodeAffinity": {TERMS: {"nodeSelectorTerms": list(terms)}}}}


def _pod_affinity(**term: Any) -> dict[str, Any]:
    return {"affinity": {"podAffinity": {TERMS: [term]}}}


def _spread(**constraint: Any) -> dict[str, Any]:
    whole = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    return {"topologySpreadConstraints": [{**whole, **constraint}]}


SPECS: list[tuple[dict[str, Any], str, str | None]] = [
    ({"preemptionPolicy": "Perhaps"}, "spec.preemptionPolicy", None),
    ({"schedulerName": "A b"}, "spec.schedulerName", None),
    (
        {"ephemeralContainers": [{"name": "e", "image": "i"}]},
        "spec.ephemeralContainers",
        "Forbidden: cannot be set on create",
    ),
    (
        {"schedulingGates": [{"name": "a/b"}], "nodeName": "n"},
        "spec.nodeName",
        "Forbidden: cannot be set until all schedulingGates have been cleared",
    ),
    ({"schedulingGates": [{"name": "a b"}]}, "spec.schedulingGates[0]", None),
    (
        {"schedulingGates": [{"name": "a"}, {"name": "a"}]},
        "spec.schedulingGates[1]",
        'Duplicate value: "a"',
    ),
    ({"readinessGates": [{"conditionType": "a b"}]}, "spec.readinessGates[0].conditionType", None),
    ({"overhead": {"cpu": "-1"}}, "spec.overhead[cpu]", None),
    (
        {"resourceClaims": [{"name": "gpu"}]},
        "spec.resourceClaims[0]",
        'Invalid value: "": must specify one of: `resourceClaimName`, `resourceClaimTemplateName`',
    ),
    (
        {"resourceClaims": [{"name": "g", "resourceClaimName": "a"}, {"name": "g"}]},
        "spec.resourceClaims[1].name",
        'Duplicate value: "g"',
    ),
    (
        {"hostPID": True, "shareProcessNamespace": True},
        "spec.shareProcessNamespace",
        "Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled",
    ),
    (
        {"hostUsers": False, "hostNetwork": True},
        "spec.hostNetwork",
        "Forbidden: when `hostUsers` is false",
    ),
    (
        {"dnsConfig": {"nameservers": ["1.1.1.1"] * 4}},
        "spec.dnsConfig.nameservers",
        'Invalid value: ["1.1.1.1","1.1.1.1","1.1.1.1","1.1.1.1"]: must not have more than 3 '
        "nameservers",
    ),
    ({"dnsConfig": {"nameservers": ["x"]}}, "spec.dnsConfig.nameservers[0]", None),
    ({"dnsConfig": {"searches": ["a"] * 33}}, "spec.dnsConfig.searches", None),
    ({"dnsConfig": {"searches": ["A b"]}}, "spec.dnsConfig.searches[0]", None),
    ({"dnsConfig": {"options": [{}]}}, "spec.dnsConfig.options[0]", None),
    ({"os": {"name": "plan9"}}, "spec.os", None),
    (
        {"os": {"name": "linux"}, "securityContext": {"windowsOptions": {}}},
        "spec.securityContext.windowsOptions",
        "Forbidden: windows options cannot be set for a linux pod",
    ),
    (
        {"os": {"name": "windows"}, "securityContext": {"runAsUser": 1}},
        "spec.securityContext.runAsUser",
        "Forbidden: cannot be set for a windows pod",
    ),
    ({"os": {"name": "windows"}, "hostPID": True}, "spec.hostPID", None),
    (
        {"resources": {"requests": {"nvidia.com/gpu": "1"}}},
        "spec.resources",
        None,
    ),
    (
        {"tolerations": [{"operator": "Exists", "value": "a"}]},
        "spec.tolerations[0].operator",
        "Invalid value: \"a\": value must be empty when `operator` is 'Exists'",
    ),
    (
        {"tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}]},
        "spec.tolerations[0].effect",
        None,
    ),
    (_spread(topologyKey=""), "spec.topologySpreadConstraints[0].topologyKey", None),
    (_spread(minDomains=0), "spec.topologySpreadConstraints[0].minDomains", None),
    (
        _spread(minDomains=2, whenUnsatisfiable="ScheduleAnyway"),
        "spec.topologySpreadConstraints[0].minDomains",
        "Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not "
        "ScheduleAnyway",
    ),
    (_spread(nodeTaintsPolicy="Maybe"), "spec.topologySpreadConstraints[0].nodeTaintsPolicy", None),
    (
        _spread(matchLabelKeys=["a"]),
        "spec.topologySpreadConstraints[0].matchLabelKeys",
        "Forbidden: must not be specified when labelSelector is not set",
    ),
    (
        _node_affinity(),
        f"spec.affinity.nodeAffinity.{TERMS}.nodeSelectorTerms",
        "Required value: must have at least one node selector term",
    ),
    (
        _node_affinity({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}),
        f"spec.affinity.nodeAffinity.{TERMS}.nodeSelectorTerms[0].matchExpressions[0].values",
        None,
    ),
    (
        _node_affinity({"matchFields": [{"key": "spec.x", "operator": "In", "values": ["b"]}]}),
        f"spec.affinity.nodeAffinity.{TERMS}.nodeSelectorTerms[0].matchFields[0].key",
        'Invalid value: "spec.x": not a valid field selector key',
    ),
    (
        {"affinity": {"nodeAffinity": {PREFERRED: [{"weight": 101, "preference": {}}]}}},
        f"spec.affinity.nodeAffinity.{PREFERRED}[0].weight",
        "Invalid value: 101: must be in the range 1-100",
    ),
    (
        _pod_affinity(topologyKey=""),
        f"spec.affinity.podAffinity.{TERMS}[0].topologyKey",
        "Required value: can not be empty",
    ),
    (
        _pod_affinity(topologyKey="zone", namespaces=["A b"]),
        f"spec.affinity.podAffinity.{TERMS}[0].namespace",
        None,
    ),
]


@pytest.mark.parametrize(("spec", "field", "message"), SPECS)
def test_rules_of_the_spec(spec: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(_pod(spec))
    assert field in causes
    assert message is None or causes[field] == message


VOLUMES: list[tuple[dict[str, Any], str, str | None]] = [
    ({"secret": {}}, "secret.secretName", "Required value"),
    ({"configMap": {}}, "configMap.name", "Required value"),
    ({"persistentVolumeClaim": {}}, "persistentVolumeClaim.claimName", "Required value"),
    (
        {"secret": {"secretName": "a", "defaultMode": 512}},
        "secret.defaultMode",
        "Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
    ),
    (
        {"configMap": {"name": "a", "items": [{"key": "k", "path": "/a"}]}},
        "configMap.items[0].path",
        'Invalid value: "/a": must be a relative path',
    ),
    (
        {"configMap": {"name": "a", "items": [{"key": "", "path": "a"}]}},
        "configMap.items[0].key",
        "Required value",
    ),
    ({"emptyDir": {"sizeLimit": "-1"}}, "emptyDir.sizeLimit", None),
    (
        {"downwardAPI": {"items": [{"path": "a"}]}},
        "downwardAPI.items[0]",
        "Required value: one of fieldRef and resourceFieldRef is required",
    ),
    (
        {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "spec.nodeName"}}]}},
        "downwardAPI.items[0].fieldRef.fieldPath",
        'Unsupported value: "spec.nodeName": supported values: "metadata.annotations", '
        '"metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"',
    ),
    (
        {"downwardAPI": {"items": [{"path": "a", "resourceFieldRef": {"resource": "limits.cpu"}}]}},
        "downwardAPI.items[0].resourceFieldRef.containerName",
        "Required value",
    ),
    (
        {"projected": {"sources": [{"secret": {"name": "a"}, "configMap": {"name": "b"}}]}},
        "projected.sources[0].configMap",
        "Forbidden: may not specify more than 1 volume type",
    ),
    (
        {
            "projected": {
                "sources": [
                    {"secret": {"name": "a", "items": [{"key": "k", "path": "p"}]}},
                    {"configMap": {"name": "b", "items": [{"key": "k", "path": "p"}]}},
                ]
            }
        },
        "projected.sources[1]",
        'Invalid value: "b": conflicting duplicate paths p',
    ),
    (
        {"projected": {"sources": [{"serviceAccountToken": {"path": ""}}]}},
        "projected.sources[0].serviceAccountToken.path",
        "Required value",
    ),
    (
        {
            "projected": {
                "sources": [{"serviceAccountToken": {"path": "a", "expirationSeconds": 5}}]
            }
        },
        "projected.sources[0].serviceAccountToken.expirationSeconds",
        "Invalid value: 5: may not specify a duration less than 10 minutes",
    ),
    ({"ephemeral": {}}, "ephemeral.volumeClaimTemplate", "Required value"),
    (
        {"ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
        "ephemeral.volumeClaimTemplate.spec.accessModes",
        None,
    ),
    ({"nfs": {"server": "", "path": "/a"}}, "nfs.server", "Required value"),
    ({"csi": {}}, "csi.driver", "Required value"),
    ({"image": {}}, "image.reference", "Required value"),
    ({"image": {"reference": "a", "pullPolicy": "Soon"}}, "image.pullPolicy", None),
]


@pytest.mark.parametrize(("source", "field", "message"), VOLUMES)
def test_rules_of_volumes(source: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(_pod({"volumes": [{"name": "v", **source}]}))
    path = f"spec.volumes[0].{field}"
    assert path in causes
    assert message is None or causes[path] == message


SLEEP = {"preStop": {"sleep": {"seconds": 31}}}
CONTAINERS: list[tuple[dict[str, Any], str, str | None]] = [
    (
        {"ports": [{"containerPort": 1, "hostPort": 5}, {"containerPort": 2, "hostPort": 5}]},
        "ports[1].hostPort",
        'Duplicate value: "TCP//5"',
    ),
    ({"ports": [{"containerPort": 1, "hostIP": "x"}]}, "ports[0].hostIP", None),
    ({"env": [{"name": "A", "valueFrom": {}}]}, "env[0].valueFrom", None),
    (
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}]},
        "env[0].valueFrom.fieldRef.fieldPath",
        'Invalid value: "spec.x": error converting fieldPath: field label not supported: spec.x',
    ),
    (
        {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "a"}}}]},
        "env[0].valueFrom.configMapKeyRef.key",
        "Required value",
    ),
    (
        {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.x"}}}]},
        "env[0].valueFrom.resourceFieldRef",
        None,
    ),
    (
        {
            "env": [
                {
                    "name": "A",
                    "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "2"}},
                }
            ]
        },
        "env[0].valueFrom.resourceFieldRef.divisor",
        'Invalid value: "2": only divisor\'s values 1m and 1 are supported with the cpu resource',
    ),
    ({"envFrom": [{}]}, "envFrom[0]", None),
    ({"envFrom": [{"configMapRef": {}}]}, "envFrom[0].configMapRef.name", "Required value"),
    ({"envFrom": [{"prefix": "=", "secretRef": {"name": "a"}}]}, "envFrom[0].prefix", None),
    (
        {"readinessProbe": {"exec": {"command": ["a"]}, "terminationGracePeriodSeconds": 1}},
        "readinessProbe.terminationGracePeriodSeconds",
        "Invalid value: 1: must not be set for readinessProbes",
    ),
    ({"livenessProbe": {"grpc": {"port": 0}}}, "livenessProbe.grpc.port", None),
    (
        {"livenessProbe": {"httpGet": {"port": 80, "httpHeaders": [{"name": "a b"}]}}},
        "livenessProbe.httpGet.httpHeaders",
        None,
    ),
    (
        {"livenessProbe": {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}},
        "livenessProbe.tcpSocket",
        "Forbidden: may not specify more than 1 handler type",
    ),
    (
        {"lifecycle": SLEEP},
        "lifecycle.preStop.sleep",
        "Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)",
    ),
    (
        {"volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/a"}]},
        "volumeMounts[1].mountPath",
        'Invalid value: "/a": must be unique',
    ),
    (
        {"volumeMounts": [{"name": "v", "mountPath": "/a", "mountPropagation": "Bidirectional"}]},
        "volumeMounts[0].mountPropagation",
        "Forbidden: Bidirectional mount propagation is available only to privileged containers",
    ),
    (
        {"volumeMounts": [{"name": "v", "mountPath": "/a", "recursiveReadOnly": "Enabled"}]},
        "volumeMounts[0].recursiveReadOnly",
        "Forbidden: may only be specified when readOnly is true",
    ),
    (
        {"volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]},
        "volumeDevices[0].name",
        None,
    ),
    ({"restartPolicy": "Sometimes"}, "restartPolicy", None),
    (
        {"restartPolicyRules": [{"action": "Restart"}]},
        "restartPolicy",
        "Required value: must specify restartPolicy when restart rules are used",
    ),
    (
        {"resizePolicy": [{"resourceName": "disk", "restartPolicy": "NotRequired"}]},
        "resizePolicy",
        'Unsupported value: "disk": supported values: "cpu", "memory"',
    ),
    ({"resources": {"claims": [{"name": "x"}]}}, "resources.claims[0].name", 'Not found: "x"'),
]


@pytest.mark.parametrize(("container", "field", "message"), CONTAINERS)
def test_rules_of_containers(container: dict[str, Any], field: str, message: str | None) -> None:
    causes = _causes(_pod({"volumes": [{"name": "v"}]}, **container))
    path = f"spec.containers[0].{field}"
    assert path in causes
    assert message is None or causes[path] == message


def test_a_pod_that_uses_everything_is_right() -> None:
    claim = {"name": "gpu", "resourceClaimTemplateName": "gpu"}
    items = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels['a']"}},
        {"path": "cpu", "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}},
    ]
    sources = [
        {"serviceAccountToken": {"path": "token"}},
        {"configMap": {"name": "m"}},
        {"downwardAPI": {"items": items}},
    ]
    spec = {
        "volumes": [{"name": "v"}, {"name": "p", "projected": {"sources": sources}}],
        "resourceClaims": [claim],
        "initContainers": [
            {"name": "first", "image": "i:1"},
            {
                "name": "sidecar",
                "image": "i:1",
                "restartPolicy": "Always",
                "readinessProbe": {"tcpSocket": {"port": "http"}},
            },
        ],
        "os": {"name": "linux"},
        "dnsConfig": {"searches": [".", "_tcp.example.com."], "options": [{"name": "ndots"}]},
        "schedulingGates": [{"name": "example.com/wait"}],
        **_spread(labelSelector={"matchLabels": {"a": "b"}}, matchLabelKeys=["c"]),
    }
    pod = _pod(
        spec,
        volumeMounts=[{"name": "v", "mountPath": "/v", "subPathExpr": "$(NAME)"}],
        env=[{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        resources={"claims": [{"name": "gpu"}], "limits": {"nvidia.com/gpu": "1"}},
        livenessProbe={"grpc": {"port": 5}},
        lifecycle={"preStop": {"sleep": {"seconds": 0}}},
    )
    assert _causes(pod) == {}


def test_an_init_container_that_ends_has_no_probes() -> None:
    first = {"name": "first", "image": "i", "livenessProbe": {"exec": {"command": ["a"]}}}
    causes = _causes(_pod({"initContainers": [first]}))
    assert causes["spec.initContainers[0].livenessProbe"].startswith("Forbidden: may not be set")


UPDATES: list[tuple[dict[str, Any], dict[str, Any], str, str | None]] = [
    (
        {"activeDeadlineSeconds": 5},
        {"activeDeadlineSeconds": 6},
        "spec.activeDeadlineSeconds",
        "Invalid value: 6: must be less than or equal to previous value",
    ),
    (
        {"activeDeadlineSeconds": 5},
        {},
        "spec.activeDeadlineSeconds",
        "Invalid value: null: must not update from a positive integer to nil value",
    ),
    (
        {"tolerations": [{"key": "a", "operator": "Exists"}]},
        {"tolerations": [{"key": "b", "operator": "Exists"}]},
        "spec.tolerations",
        "Forbidden: existing toleration can not be modified except its tolerationSeconds",
    ),
    (
        {},
        {"schedulingGates": [{"name": "a"}]},
        "spec.schedulingGates",
        "Forbidden: only deletion is allowed, but found new scheduling gate 'a'",
    ),
    ({}, {"nodeSelector": {"a": "b"}}, "spec", None),
    (
        {"schedulingGates": [{"name": "a"}], "nodeSelector": {"a": "b"}},
        {"schedulingGates": [{"name": "a"}], "nodeSelector": {"a": "c"}},
        "spec.nodeSelector",
        'Invalid value: {"a":"c"}: only additions to spec.nodeSelector are allowed (no mutations '
        "or deletions)",
    ),
    ({"terminationGracePeriodSeconds": 5}, {"terminationGracePeriodSeconds": 6}, "spec", None),
]


@pytest.mark.parametrize(("before", "after", "field", "message"), UPDATES)
def test_updates_that_are_refused(
    before: dict[str, Any], after: dict[str, Any], field: str, message: str | None
) -> None:
    causes = _causes(_pod(after), _pod(before))
    assert field in causes
    assert message is None or causes[field] == message


def test_a_pod_at_a_gate_may_be_told_more_narrowly_where_to_go() -> None:
    first = {"key": "a", "operator": "Exists"}
    gated = {"schedulingGates": [{"name": "a"}], **_node_affinity({"matchExpressions": [first]})}
    second = {"key": "b", "operator": "Exists"}
    narrowed = {
        **_node_affinity({"matchExpressions": [first, second]}),
        "nodeSelector": {"disk": "ssd"},
    }
    assert _causes(_pod(narrowed), _pod(gated)) == {}
    other = _node_affinity({"matchExpressions": [second]})
    path = f"spec.affinity.nodeAffinity.{TERMS}.nodeSelectorTerms[0]"
    assert path in _causes(_pod(other), _pod(gated))


def _with_ephemeral(pod: dict[str, Any], *containers: dict[str, Any]) -> dict[str, Any]:
    new = _copied(pod)
    new["spec"]["ephemeralContainers"] = list(containers)
    new["spec"]["nodeName"] = "elsewhere"
    POD.default(new)
    POD.strategy("ephemeralcontainers")(new, pod)
    return new


def test_ephemeral_containers_are_added_and_stay() -> None:
    old = _pod()
    debugger = {"name": "debug", "image": "i:1", "targetContainerName": "c"}
    new = _with_ephemeral(old, debugger)
    assert "nodeName" not in new["spec"]
    assert _causes(new, old, "ephemeralcontainers") == {}
    assert _causes(_with_ephemeral(new, debugger), new, "ephemeralcontainers") == {}
    changed = _with_ephemeral(new, {**debugger, "image": "i:2"})
    assert (
        "may not be changed"
        in _causes(changed, new, "ephemeralcontainers")["spec.ephemeralContainers"]
    )
    removed = _with_ephemeral(new)
    assert (
        "may not be removed"
        in _causes(removed, new, "ephemeralcontainers")["spec.ephemeralContainers"]
    )


@pytest.mark.parametrize(
    ("container", "field"),
    [
        ({"ports": [{"containerPort": 1}]}, "ports"),
        ({"livenessProbe": {"exec": {"command": ["a"]}}}, "livenessProbe"),
        ({"resources": {"limits": {"cpu": "1"}}}, "resources"),
        ({"targetContainerName": "x"}, "targetContainerName"),
        ({"name": "c"}, "name"),
    ],
)
def test_rules_of_ephemeral_containers(container: dict[str, Any], field: str) -> None:
    old = _pod()
    new = _with_ephemeral(old, {"name": "debug", "image": "i:1", **container})
    causes = _causes(new, old, "ephemeralcontainers")
    assert f"spec.ephemeralContainers[0].{field}" in causes


def _resized(old: dict[str, Any], **resources: Any) -> dict[str, Any]:
    new = _copied(old)
    new["spec"]["containers"][0] |= {"resources": resources, "image": "other"}
    POD.default(new)
    POD.strategy("resize")(new, old)
    return new


def test_resources_are_changed_through_resize() -> None:
    old = _pod(resources={"requests": {"cpu": "1"}})
    POD.prepare(old, None)
    new = _resized(old, requests={"cpu": "2"})
    assert new["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "2"}}
    assert new["spec"]["containers"][0]["image"] == "i:1"
    assert new["metadata"]["generation"] == 2
    assert _causes(new, old, "resize") == {}
    assert "spec" in _causes(_pod(resources={"requests": {"cpu": "2"}}), old)


def test_a_resize_keeps_the_quality_of_service() -> None:
    old = _pod(resources={"requests": {"cpu": "1"}, "limits": {"cpu": "2"}})
    assert _causes(_resized(old), old, "resize") == {
        "spec": 'Invalid value: "BestEffort": Pod QOS Class may not change as a result of resizing',
        "spec.containers[0].resources.limits": "Forbidden: resource limits cannot be removed",
        "spec.containers[0].resources.requests": "Forbidden: resource requests cannot be removed",
    }
    disk = {"requests": {"cpu": "1", "ephemeral-storage": "1Gi"}, "limits": {"cpu": "2"}}
    assert _causes(_resized(old, **disk), old, "resize") == {
        "spec.containers[0].resources.requests": "Forbidden: only cpu and memory resources are "
        "mutable"
    }
