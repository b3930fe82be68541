"""What a pod may ask of its node, in real containers: volumes, hooks, probes, names, ports."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.real.harness import Cluster, eventually, is_ready

pytestmark = pytest.mark.real

OBJECTS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {mode: fast}
---
apiVersion: v1
kind: Secret
metadata: {name: login, namespace: default}
stringData: {password: hush}
"""

FULL = """
apiVersion: v1
kind: Pod
metadata: {name: full, namespace: default, labels: {app: full}}
spec:
  terminationGracePeriodSeconds: 3
  hostAliases: [{ip: 192.0.2.1, hostnames: [far.example]}]
  securityContext: {fsGroup: 777}
  initContainers:
    - name: first
      image: hello:1
      command: [sh, -c, "umask 0; mkdir -p /data/part; echo one > /data/part/file"]
      volumeMounts: [{name: data, mountPath: /data}]
    - name: beside
      image: hello:1
      restartPolicy: Always
      command:
        - sh
        - -c
        - trap 'exit 0' TERM; echo sidecar > /data/sidecar; while true; do sleep 0.1; done
      volumeMounts: [{name: data, mountPath: /data}]
  containers:
    - name: main
      image: hello:1
      command: [sh, -c, "echo started $(MODE); trap 'exit 0' TERM; while true; do sleep 0.1; done"]
      env:
        - {name: MODE, valueFrom: {configMapKeyRef: {name: settings, key: mode}}}
        - {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
      resources: {limits: {memory: 32Mi}}
      securityContext: {runAsUser: 1000, runAsNonRoot: true, readOnlyRootFilesystem: true}
      readinessProbe: {exec: {command: [cat, /data/part/file]}, periodSeconds: 1}
      livenessProbe:
        exec: {command: [sh, -c, "! cat /data/part/dead"]}
        periodSeconds: 1
        failureThreshold: 1
      lifecycle:
        postStart: {exec: {command: [sh, -c, "echo hooked > /data/part/hook"]}}
        preStop: {exec: {command: [sh, -c, "echo leaving > /proc/1/fd/1; sleep 0.5"]}}
      ports: [{containerPort: 8080, hostPort: 8099}]
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: data, mountPath: /part, subPath: part}
        - {name: settings, mountPath: /settings}
        - {name: login, mountPath: /login}
        - {name: memory, mountPath: /memory}
        - {name: labels, mountPath: /labels}
  volumes:
    - {name: data, emptyDir: {}}
    - {name: memory, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
    - {name: settings, configMap: {name: settings}}
    - {name: login, secret: {secretName: login, defaultMode: 0440}}
    - name: labels
      downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
"""

BARE = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: default}}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{{name: main, image: "{image}", {more}}}]
"""


@pytest.fixture(scope="module")
def full(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with a ready pod that asks for nearly everything."""
    cluster.apply(OBJECTS)
    cluster.apply(FULL)
    eventually(lambda: is_ready(cluster.get("pod", "full")), 20, "the pod is ready")
    yield cluster
    cluster.kubectl("delete", "pod", "full", "--ignore-not-found", "--now")


def inside(cluster: Cluster, script: str, container: str = "main") -> str:
    answer = cluster.kubectl("exec", "full", "-c", container, "--", "sh", "-c", script)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_volumes_hold_what_they_should(full: Cluster) -> None:
    shown = inside(
        full, "cat /part/file /data/sidecar /settings/mode /login/password /labels/labels"
    )
    assert shown == 'one\nsidecar\nfasthushapp="full"'


def test_the_environment_and_the_generated_files(full: Cluster) -> None:
    assert inside(full, "echo $MODE $MEMORY").split() == ["fast", str(32 << 20)]
    assert "192.0.2.1\tfar.example" in inside(full, "cat /etc/hosts")
    assert "default.svc.cluster.local" in inside(full, "cat /etc/resolv.conf")
    assert inside(full, "cat /etc/hostname").strip() == "full"
    assert full.kubectl("logs", "full", "-c", "main").stdout == "started fast\n"


def test_the_pods_user_and_its_bounds(full: Cluster) -> None:
    assert inside(full, "id -u; id -G").split()[0] == "1000"
    assert "777" in inside(full, "id -G").split()
    assert inside(full, "echo x > /etc/hosts || echo refused").strip() == "refused"
    assert inside(full, "echo x > /file || echo refused").strip() == "refused"
    assert inside(full, "echo x > /settings/mode || echo refused").strip() == "refused"
    filled = inside(full, "cat /dev/zero > /memory/file || echo full")
    assert filled.strip() == "full"


def test_the_hook_ran_before_the_pod_was_ready(full: Cluster) -> None:
    assert inside(full, "cat /part/hook") == "hooked\n"


def test_a_changed_config_map_is_seen_in_the_volume(full: Cluster) -> None:
    full.kubectl("patch", "configmap", "settings", "-p", '{"data":{"mode":"slow"}}')
    eventually(lambda: inside(full, "cat /settings/mode") == "slow", 5, "the file has changed")


def test_a_failed_liveness_probe_restarts_the_container(full: Cluster) -> None:
    inside(full, "echo > /part/dead")
    inside(full, "while ! test -e /data/part/dead; do sleep 0.1; done", "beside")

    def restarted() -> Any:
        statuses = full.get("pod", "full")["status"]["containerStatuses"]
        return statuses[0]["restartCount"] >= 1

    eventually(restarted, 10, "the container was restarted")
    inside(full, "rm -f /data/part/dead", "beside")
    eventually(lambda: is_ready(full.get("pod", "full")), 30, "the pod is ready again")
    previous = full.kubectl("logs", "full", "-c", "main", "--previous").stdout
    assert previous.startswith("started ")
    assert previous.endswith("leaving\n")


def test_nothing_of_a_deleted_pod_is_left(full: Cluster) -> None:
    pod = full.get("pod", "full")
    uid, node = pod["metadata"]["uid"], pod["spec"]["nodeName"]
    folder = full.instance.state_folder / "nodes" / node
    assert uid in left(folder)
    answer = full.kubectl("delete", "pod", "full", "--timeout=20s")
    assert answer.returncode == 0, answer.stderr
    eventually(lambda: uid not in left(folder), 5, "its folders are gone")
    groups = Path("/sys/fs/cgroup").glob(f"**/{full.instance.cgroup}/{node}/pods/pod{uid}")
    assert list(groups) == []


def left(folder: Path) -> str:
    """The names of everything that a node keeps of pods."""
    return "\n".join(str(item) for item in folder.glob("[lp]o*s/*"))


def waiting_reason(cluster: Cluster, name: str) -> str:
    statuses = cluster.get("pod", name)["status"].get("containerStatuses", [{}])
    return str(statuses[0].get("state", {}).get("waiting", {}).get("reason", ""))


@pytest.mark.parametrize(
    ("name", "image", "more", "reasons"),
    [
        ("no-image", "nowhere:1", "", {"ErrImagePull", "ImagePullBackOff"}),
        ("never", "nowhere:1", "imagePullPolicy: Never", {"ErrImageNeverPull"}),
        ("no-command", "hello:1", "command: [/nothing]", {"CrashLoopBackOff"}),
        (
            "no-map",
            "hello:1",
            "envFrom: [{configMapRef: {name: nothing}}]",
            {"CreateContainerConfigError"},
        ),
        (
            "no-root",
            "hello:1",
            "securityContext: {runAsNonRoot: true, runAsUser: 0}",
            {"CreateContainerConfigError"},
        ),
    ],
)
def test_why_a_container_waits_is_told(
    cluster: Cluster, name: str, image: str, more: str, reasons: set[str]
) -> None:
    cluster.apply(BARE.format(name=name, image=image, more=more))
    eventually(lambda: waiting_reason(cluster, name) in reasons, 10, f"{name} tells why it waits")
    cluster.kubectl("delete", "pod", name, "--now")


def test_a_port_claimed_on_the_node_leads_to_the_pod(cluster: Cluster) -> None:
    ports = "ports: [{containerPort: 8080, hostPort: 8098}]"
    cluster.apply(BARE.format(name="claims", image="hello:1", more=ports))
    cluster.kubectl("wait", "pod/claims", "--for=condition=Ready", "--timeout=20s")
    address = cluster.get("pod", "claims")["status"]["hostIP"]

    def answers() -> bool:
        shown = cluster.run("curl", "-sS", "--max-time", "2", f"http://{address}:8098/")
        return "claims" in shown.stdout

    eventually(answers, 5, "the claimed port answers")
    cluster.kubectl("delete", "pod", "claims", "--now")


def test_kubectl_run_talks_to_a_container(cluster: Cluster) -> None:
    arguments = ["run", "talk", "-i", "--rm", "--image=hello:1", "--restart=Never", "--command"]
    answer = cluster.kubectl(*arguments, "--", "cat", input="to and fro\n")
    assert "to and fro" in answer.stdout
