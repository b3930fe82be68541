"""helm 4: releases of a chart with a custom resource, hooks and a dependency, and of a chart that
`helm create` makes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.real.harness import KUBECTL_FOLDER, Cluster

pytestmark = pytest.mark.real

CHARTS = Path(__file__).with_name("charts")
VISIT = (
    "['/usr/bin/python3', '-ISc', "
    "'import sys, urllib.request; urllib.request.urlopen(\"http://\" + sys.argv[1])']"
)
SITE = "app.kubernetes.io/instance=site"
WAIT = ("--wait", "--timeout", "60s")


class Helm:
    """helm in one namespace of the cluster."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    def __call__(self, *arguments: str, fails: bool = False) -> str:
        answer = self._cluster.run(
            str(KUBECTL_FOLDER / "helm"), *arguments, "--namespace", self._namespace
        )
        assert (answer.returncode != 0) is fails, answer.stderr + answer.stdout
        return answer.stderr if fails else answer.stdout

    def revisions(self, release: str) -> list[str]:
        told = json.loads(self("history", release, "-o", "json"))
        return [entry["status"] for entry in told]

    def get(self, *arguments: str) -> Any:
        return self._cluster.get("-n", self._namespace, *arguments)


def test_a_chart_with_hooks_definitions_and_a_dependency(cluster: Cluster, tmp_path: Path) -> None:
    helm = Helm(cluster, "harbour")
    chart = str(shutil.copytree(CHARTS, tmp_path / "charts") / "harbour")
    helm("dependency", "update", chart)
    rehearsed = helm("template", "port", chart, "--include-crds")
    assert "kind: CustomResourceDefinition" in rehearsed
    assert "STATUS: deployed" in helm("install", "port", chart, "--create-namespace", *WAIT)
    assert helm.get("boats/port")["spec"] == {"greeting": "hello", "sails": 2}
    assert helm.get("deployments/port-quay")["status"]["readyReplicas"] == 1
    assert helm.get("pods/port-prepare") is None, "the hook succeeded and was to be removed"
    assert helm.get("configmaps/port-record")["data"] == {"revision": "1"}
    (secret,) = helm.get("secrets", "-l", "owner=helm,name=port")["items"]
    assert secret["type"] == "helm.sh/release.v1"
    changed = ("--set", "greeting=ahoy,quay.replicas=2,quay.image=hello:2")
    helm("upgrade", "port", chart, *changed, *WAIT)
    assert helm.get("boats/port")["spec"]["greeting"] == "ahoy"
    assert helm.get("deployments/port-quay")["status"]["readyReplicas"] == 2
    assert helm.get("configmaps/port-record")["data"] == {"revision": "2"}
    assert "Phase:          Succeeded" in helm("test", "port", "--timeout", "60s")
    refused = helm("upgrade", "port", chart, "--set", "prepare=false", *WAIT, fails=True)
    assert "pre-upgrade hooks failed" in refused
    assert helm.revisions("port") == ["superseded", "deployed", "failed"]
    helm("rollback", "port", "1", *WAIT)
    assert helm.revisions("port")[-1] == "deployed"
    assert helm.get("boats/port")["spec"] == {"greeting": "hello", "sails": 2}
    container = helm.get("deployments/port-quay")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "hello:1"
    assert 'release "port" uninstalled' in helm("uninstall", "port", *WAIT)
    assert helm.get("deployments,services,boats")["items"] == []
    assert helm.get("secrets", "-l", "owner=helm")["items"] == []
    assert helm.get("crds/boats.harbour.example.com"), "definitions outlive their chart"


def test_a_chart_as_helm_makes_it(cluster: Cluster, tmp_path: Path) -> None:
    helm = Helm(cluster, "made")
    chart = tmp_path / "site"
    helm("create", str(chart))
    test = chart / "templates" / "tests" / "test-connection.yaml"
    written = test.read_text().replace("busybox", "hello:1").replace("['wget']", VISIT)
    test.write_text(written)
    values = ("--set", "image.repository=hello,image.tag=1,service.port=8080")
    helm("lint", str(chart))
    helm("install", "site", str(chart), "--create-namespace", *values, *WAIT)
    assert helm.get("deployments/site")["status"]["readyReplicas"] == 1
    assert "Phase:          Succeeded" in helm("test", "site", "--timeout", "60s")
    scaling = ("--set", "autoscaling.enabled=true", "--set", "ingress.enabled=true")
    helm("upgrade", "site", str(chart), *values, *scaling, *WAIT)
    assert helm.get("ingresses/site")["spec"]["rules"][0]["host"] == "chart-example.local"
    assert helm.get("hpa/site")["spec"]["maxReplicas"] == 100
    helm("rollback", "site", "1", *WAIT)
    assert helm.get("ingresses")["items"] == []
    assert helm.revisions("site") == ["superseded", "superseded", "deployed"]
    assert "deployed" in helm("list")
    assert 'image: "hello:1"' in helm("get", "manifest", "site")
    helm("uninstall", "site", *WAIT)
    assert helm.get("deployments,services,serviceaccounts", "-l", SITE)["items"] == []


def test_a_release_that_does_not_become_ready_fails(cluster: Cluster, tmp_path: Path) -> None:
    helm = Helm(cluster, "unready")
    chart = str(CHARTS / "quay")
    arguments = ("install", "never", chart, "--create-namespace", "--set", "image=absent:1")
    refused = helm(*arguments, "--wait", "--timeout", "3s", "--rollback-on-failure", fails=True)
    assert "never-quay not ready" in refused
    assert helm.get("deployments")["items"] == []
    told = helm("install", "never", chart, "--dry-run=server")
    assert "kind: Deployment" in told
    assert helm.get("deployments")["items"] == []
