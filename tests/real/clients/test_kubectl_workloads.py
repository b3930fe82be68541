"""kubectl and what runs: pods, rollouts, files, events, nodes."""

from pathlib import Path

import pytest
from tests.real.clients.kubectl import Kubectl

pytestmark = pytest.mark.real

NODE = "node-1"


def test_a_pod_its_streams_and_its_files(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("run", "one", "--image=hello:1", "--command", "--", "sh", "-c", "echo hi; sleep 600")
    kubectl("wait", "pod/one", "--for=condition=Ready", "--timeout=30s")
    assert kubectl("logs", "one") == "hi\n"
    assert kubectl("exec", "one", "--", "echo", "said") == "said\n"
    source, target = tmp_path / "there", tmp_path / "back"
    source.write_text("kept\n")
    kubectl("cp", str(source), "one:/tmp/there")
    kubectl("cp", "one:/tmp/there", str(target))
    assert target.read_text() == "kept\n"
    assert kubectl("annotate", "pod", "one", "a=b") == "pod/one annotated\n"
    assert kubectl("label", "pod", "one", "run-") == "pod/one unlabeled\n"
    assert "Started container one" in kubectl("events", "--for", "pod/one")
    kubectl("delete", "pod", "one", "--now")


def test_a_deployment_and_its_revisions(kubectl: Kubectl) -> None:
    web = "deployment/web"
    kubectl("create", "deployment", "web", "--image=hello:1", "--port=8080")
    kubectl("rollout", "status", web, "--timeout=30s")
    assert kubectl("expose", web, "--port=80", "--target-port=8080") == "service/web exposed\n"
    assert kubectl("scale", web, "--replicas=2") == "deployment.apps/web scaled\n"
    kubectl("wait", web, "--for=jsonpath={.status.readyReplicas}=2", "--timeout=30s")
    assert "autoscaled" in kubectl("autoscale", web, "--min=1", "--max=3")
    kubectl("set", "image", web, "hello=hello:2")
    assert "successfully rolled out" in kubectl("rollout", "status", web, "--timeout=30s")
    kubectl("set", "env", web, "A=b")
    assert "A=b" in kubectl("set", "env", web, "--list")
    kubectl("set", "resources", web, "--limits=memory=64Mi")
    kubectl("rollout", "undo", web, "--to-revision=1")
    assert kubectl("get", web, "-o", "jsonpath={..image}") == "hello:1"
    assert kubectl("rollout", "pause", web) == "deployment.apps/web paused\n"
    assert kubectl("rollout", "resume", web) == "deployment.apps/web resumed\n"
    assert kubectl("rollout", "restart", web) == "deployment.apps/web restarted\n"
    assert "REVISION" in kubectl("rollout", "history", web)
    kubectl("delete", web, "service/web", "--wait=false")


def test_a_node_is_marked_and_drained_in_rehearsal(kubectl: Kubectl) -> None:
    assert kubectl("taint", "node", NODE, "a=b:PreferNoSchedule") == f"node/{NODE} tainted\n"
    assert kubectl("taint", "node", NODE, "a-") == f"node/{NODE} untainted\n"
    assert kubectl("cordon", NODE) == f"node/{NODE} cordoned\n"
    assert "SchedulingDisabled" in kubectl("get", "node", NODE)
    assert kubectl("uncordon", NODE) == f"node/{NODE} uncordoned\n"
    rehearsed = kubectl("drain", NODE, "--dry-run=server", "--force", "--ignore-daemonsets")
    assert f"node/{NODE} drained (server dry run)" in rehearsed


def test_a_dump_of_the_namespace(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("create", "deployment", "none", "--image=hello:1", "--replicas=0")
    told = ("--namespaces", kubectl.namespace, "--output-directory", str(tmp_path))
    kubectl("cluster-info", "dump", *told)
    assert '"none"' in (tmp_path / kubectl.namespace / "deployments.json").read_text()
    assert NODE in (tmp_path / "nodes.json").read_text()
