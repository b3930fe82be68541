"""Pods, services and kubelets are reached through the API, on whichever node they are."""

import subprocess

import pytest
from tests.real.harness import Cluster, eventually

pytestmark = pytest.mark.real

SPACE = "/api/v1/namespaces/default"


def raw(cluster: Cluster, path: str) -> str:
    answer = cluster.kubectl("get", "--raw", path)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_every_pod_is_reached_through_the_proxy(hello: Cluster) -> None:
    pods = hello.ready_pods("app=hello")
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 3
    for pod in pods:
        name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
        for target in (name, f"{name}:8080", f"http:{name}:8080"):
            assert f"pod {name} on {node}" in raw(hello, f"{SPACE}/pods/{target}/proxy/")


def test_a_service_is_reached_through_the_proxy(hello: Cluster) -> None:
    for target in ("hello:http", "hello:80", "http:hello:http"):
        assert "Hello from pod" in raw(hello, f"{SPACE}/services/{target}/proxy/")
    answer = hello.kubectl("get", "--raw", f"{SPACE}/services/hello:81/proxy/")
    assert answer.returncode != 0


def test_kubelets_are_reached_through_the_proxy(hello: Cluster) -> None:
    for node in ("node-1", "node-2", "node-3"):
        assert raw(hello, f"/api/v1/nodes/{node}/proxy/healthz") == "ok"


def test_kubectl_proxy_leads_to_the_service(hello: Cluster) -> None:
    proxy = hello.start(hello.kubectl_program(), "proxy", "--port=0")
    try:
        assert proxy.stdout is not None
        address = proxy.stdout.readline().strip().rpartition(" ")[2]
        url = f"http://{address}{SPACE}/services/hello:http/proxy"
        assert "Hello from pod" in hello.fetch(f"{url}/")
        moved = hello.run("curl", "-s", "-o", "/dev/null", "-w", "%{redirect_url}", url)
        assert moved.stdout == f"{url}/"
    finally:
        proxy.kill()
        proxy.communicate()


def test_commands_still_pass(hello: Cluster) -> None:
    name = hello.ready_pods("app=hello")[0]["metadata"]["name"]

    def executed() -> "subprocess.CompletedProcess[str]":
        return hello.kubectl("exec", name, "--", "/usr/bin/python3", "-c", "print('inside')")

    answer = executed()
    eventually(lambda: executed().stdout == "inside\n", 10, f"a command ran: {answer.stderr}")
