"""What kubectl shows, and whom it speaks for: forms of output, explanations, access."""

import json
import subprocess

import pytest
from tests.real.clients.kubectl import Kubectl

pytestmark = pytest.mark.real


def test_the_forms_of_output(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=hello:1", "--replicas=0")
    web = "deployment/web"
    assert kubectl("get", web, "-o", "yaml").startswith("apiVersion: apps/v1\nkind: Deployment\n")
    assert kubectl("get", web, "-o", "wide").split()[-3:] == ["hello", "hello:1", "app=web"]
    columns = "custom-columns=NAME:.metadata.name,WANTED:.spec.replicas"
    assert kubectl("get", web, "-o", columns).split() == ["NAME", "WANTED", "web", "0"]
    assert kubectl("get", web, "-o", "jsonpath={.spec.replicas}") == "0"
    assert kubectl("get", web, "-o", "go-template={{.metadata.name}}") == "web"
    assert "READY" not in kubectl("get", web, "--no-headers")
    assert "app=web" in kubectl("get", web, "--show-labels")
    assert "web" in kubectl("describe", web)


def test_selections_pages_and_order(kubectl: Kubectl) -> None:
    for name in ("c", "a", "b"):
        kubectl("create", "configmap", name)
        kubectl("label", "configmap", name, f"is={name}")
    listed = ("get", "configmaps", "-o", "name")
    assert kubectl(*listed, "-l", "is!=c,is") == "configmap/a\nconfigmap/b\n"
    assert kubectl(*listed, "--field-selector=metadata.name=b") == "configmap/b\n"
    by_age = ("--sort-by=.metadata.creationTimestamp", "-l", "is")
    assert sorted(kubectl(*listed, *by_age).split()) == [f"configmap/{it}" for it in "abc"]
    assert kubectl(*listed, "--chunk-size=1", "-l", "is").count("\n") == 3


def test_watch_shows_what_follows(kubectl: Kubectl) -> None:
    command = kubectl.command(
        "get", "configmaps", "--watch-only", "--output-watch-events", "--request-timeout=20s"
    )
    watching = kubectl.cluster.start(*command, stdin=subprocess.DEVNULL)
    assert watching.stdout is not None
    try:
        # The first changes may come before the watch begins.
        for number in range(2):
            kubectl("create", "configmap", f"told-{number}")
            kubectl("delete", "configmap", f"told-{number}")
        heading, first = watching.stdout.readline(), watching.stdout.readline()
        assert heading.split() == ["EVENT", "NAME", "DATA", "AGE"]
        assert "told-" in first
    finally:
        watching.kill()
        watching.wait()
        watching.stdout.close()


def test_discovery_and_explanations(kubectl: Kubectl) -> None:
    assert {"v1", "apps/v1", "apiextensions.k8s.io/v1"} <= set(kubectl("api-versions").split())
    resources = kubectl("api-resources", "--namespaced", "-o", "name").split()
    assert {"pods", "deployments.apps", "leases.coordination.k8s.io"} <= set(resources)
    told = kubectl("explain", "deployment.spec.replicas")
    assert "FIELD: replicas <integer>" in told
    assert "Number of desired pods" in told
    assert "containerPort\t<integer> -required-" in kubectl("explain", "pod", "--recursive")
    assert json.loads(kubectl("get", "--raw", "/version"))["minor"] == "37"
    assert "is running at" in kubectl("cluster-info")
    assert "readyz check passed" in kubectl("get", "--raw", "/readyz?verbose")


def test_who_asks_and_what_they_may(kubectl: Kubectl) -> None:
    assert "kubernetes-admin" in kubectl("auth", "whoami")
    assert kubectl("auth", "can-i", "delete", "nodes") == "yes\n"
    account = f"--as=system:serviceaccount:{kubectl.namespace}:default"
    refused = kubectl("auth", "can-i", "get", "pods", account, fails=True)
    assert refused == "" or "no" in refused
    assert "selfsubjectreviews" in kubectl("auth", "can-i", "--list", account)
    viewer = ("--clusterrole=view", f"--serviceaccount={kubectl.namespace}:default")
    kubectl("create", "rolebinding", "viewer", *viewer)
    assert kubectl("auth", "can-i", "get", "pods", account) == "yes\n"
    assert kubectl("create", "token", "default", "--duration=10m").count(".") == 2
