"""The verbs that people use, by the kubectl that they use."""

import json
import time
from collections.abc import Iterator

import pytest
import yaml
from tests.real.harness import Cluster, eventually

pytestmark = pytest.mark.real

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo, namespace: verbs}
spec:
  replicas: 2
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: hello:1
          command: ["/bin/sh", "-c", "echo started; while true; do echo tick; sleep 0.2; done"]
"""


@pytest.fixture(scope="module")
def verbs(cluster: Cluster) -> Iterator[Cluster]:
    """A namespace with a deployment of two pods that talk."""
    assert cluster.kubectl("create", "namespace", "verbs").returncode == 0
    cluster.apply(DEPLOYMENT)
    eventually(lambda: len(cluster.ready_pods("app=echo", "verbs")) == 2, 20, "two pods")
    yield cluster
    assert cluster.kubectl("delete", "namespace", "verbs", "--timeout=30s").returncode == 0


def said(cluster: Cluster, *arguments: str, minor: int = 37) -> str:
    """What kubectl prints when it succeeds."""
    answer = cluster.kubectl("-n", "verbs", *arguments, minor=minor)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize("minor", [37, 32])
def test_apply_twice_changes_nothing(verbs: Cluster, minor: int) -> None:
    answer = verbs.kubectl("apply", "-f", "-", input=DEPLOYMENT, minor=minor)
    assert answer.stdout.strip() == "deployment.apps/echo unchanged", answer.stderr


@pytest.mark.parametrize("minor", [37, 32])
def test_get_prints_tables(verbs: Cluster, minor: int) -> None:
    header, row = said(verbs, "get", "deployment", "echo", minor=minor).splitlines()
    assert header.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row.split()[:4] == ["echo", "2/2", "2", "2"]
    wide = said(verbs, "get", "pods", "-o", "wide", minor=minor).splitlines()
    assert wide[0].split()[:7] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    assert all("Running" in line and "node-" in line for line in wide[1:])


def test_get_prints_objects(verbs: Cluster) -> None:
    as_yaml = yaml.safe_load(said(verbs, "get", "deployment", "echo", "-o", "yaml"))
    as_json = json.loads(said(verbs, "get", "deployment", "echo", "-o", "json"))
    assert as_yaml["spec"] == as_json["spec"]
    assert said(verbs, "get", "deployment", "-o", "name").strip() == "deployment.apps/echo"


def test_get_watches(verbs: Cluster) -> None:
    watch = verbs.start(verbs.kubectl_program(), "-n", "verbs", "get", "cm", "-w", "-o", "name")
    time.sleep(1)
    said(verbs, "create", "configmap", "seen", "--from-literal=a=b")
    assert watch.stdout is not None
    lines = iter(watch.stdout.readline, "")
    assert any(line.strip() == "configmap/seen" for line in lines)
    watch.terminate()
    watch.communicate(timeout=5)


def test_describe_tells_the_story(verbs: Cluster) -> None:
    pod = verbs.ready_pods("app=echo", "verbs")[0]["metadata"]["name"]
    text = said(verbs, "describe", "pod", pod)
    for event in ("Scheduled", "Created", "Started"):
        assert event in text
    assert "ScalingReplicaSet" in said(verbs, "describe", "deployment", "echo")
    assert "InternalIP" in said(verbs, "describe", "node", "node-1")


def test_patch_changes_an_object(verbs: Cluster) -> None:
    said(verbs, "patch", "deployment", "echo", "-p", '{"metadata":{"labels":{"a":"b"}}}')
    found = said(verbs, "get", "deployment", "-l", "a=b", "-o", "name")
    assert found.strip() == "deployment.apps/echo"


def test_edit_changes_an_object(verbs: Cluster) -> None:
    environment = verbs.environment | {"KUBE_EDITOR": "sed -i s/first/second/"}
    said(verbs, "create", "configmap", "edited", "--from-literal=a=first")
    program = verbs.kubectl_program()
    answer = verbs.namespaces.run(
        program, "-n", "verbs", "edit", "configmap", "edited", env=environment
    )
    assert answer.returncode == 0, answer.stderr
    assert '"second"' in said(verbs, "get", "configmap", "edited", "-o", "json")


def test_a_new_image_is_rolled_out_and_undone(verbs: Cluster) -> None:
    said(verbs, "set", "image", "deployment/echo", "main=hello:2")
    rolled = said(verbs, "rollout", "status", "deployment/echo", "--timeout=40s")
    assert "successfully rolled out" in rolled
    history = said(verbs, "rollout", "history", "deployment/echo").splitlines()
    assert [line.split()[0] for line in history if line[:1].isdigit()] == ["1", "2"]
    said(verbs, "rollout", "undo", "deployment/echo")
    said(verbs, "rollout", "status", "deployment/echo", "--timeout=40s")
    image = "{.spec.template.spec.containers[0].image}"
    assert said(verbs, "get", "deployment", "echo", "-o", f"jsonpath={image}") == "hello:1"


def test_scale_changes_the_number(verbs: Cluster) -> None:
    said(verbs, "scale", "deployment/echo", "--replicas=4")
    eventually(lambda: len(verbs.ready_pods("app=echo", "verbs")) == 4, 20, "four pods")
    said(verbs, "scale", "deployment/echo", "--replicas=2")
    eventually(lambda: len(verbs.pods("app=echo", "verbs")) == 2, 20, "two pods")


def test_logs_are_followed(verbs: Cluster) -> None:
    pod = verbs.ready_pods("app=echo", "verbs")[0]["metadata"]["name"]
    assert said(verbs, "logs", pod).startswith("started\n")
    assert len(said(verbs, "logs", pod, "--tail=2").splitlines()) == 2
    follow = verbs.start(verbs.kubectl_program(), "-n", "verbs", "logs", "-f", "--tail=1", pod)
    assert follow.stdout is not None
    assert [follow.stdout.readline() for _ in range(5)] == ["tick\n"] * 5
    follow.terminate()
    follow.communicate(timeout=5)


@pytest.mark.parametrize("minor", [37, 32])
def test_exec_runs_a_command(verbs: Cluster, minor: int) -> None:
    pod = verbs.ready_pods("app=echo", "verbs")[0]["metadata"]["name"]
    shell = ["-n", "verbs", "exec", "-i", pod, "--", "/bin/sh", "-c"]
    answer = verbs.kubectl(*shell, "cat; echo oops >&2; exit 7", input="fed\n", minor=minor)
    assert answer.stdout == "fed\n"
    assert "oops" in answer.stderr
    assert answer.returncode == 7


def test_explain_knows_the_fields(verbs: Cluster) -> None:
    text = said(verbs, "explain", "pod.spec.containers")
    assert "FIELD: containers <[]Container>" in text
    assert "imagePullPolicy" in text


def test_auth_can_i(verbs: Cluster) -> None:
    assert said(verbs, "auth", "can-i", "delete", "pods").strip() == "yes"
    answer = verbs.kubectl(
        "-n", "verbs", "auth", "can-i", "delete", "pods",
        "--as=system:serviceaccount:verbs:default",
    )  # fmt: skip
    assert answer.stdout.strip() == "no"


def test_delete_removes(verbs: Cluster) -> None:
    said(verbs, "create", "configmap", "short-lived")
    said(verbs, "delete", "configmap", "short-lived")
    answer = verbs.kubectl("-n", "verbs", "get", "configmap", "short-lived")
    assert 'configmaps "short-lived" not found' in answer.stderr


def test_api_resources_are_listed(verbs: Cluster) -> None:
    lines = said(verbs, "api-resources", "--no-headers").splitlines()
    found = {line.split()[0] for line in lines}
    assert {"pods", "services", "deployments", "endpointslices", "leases", "roles"} <= found


def test_the_version_is_told(verbs: Cluster) -> None:
    version = json.loads(said(verbs, "version", "-o", "json"))["serverVersion"]
    assert (version["major"], version["minor"]) == ("1", "37")
