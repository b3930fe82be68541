"""Hooks see what goes to subresources, and connections, in the form in which they come."""

from collections.abc import Callable
from typing import Any

import pytest

PODS = "/api/v1/namespaces/default/pods"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def rules(resource: str, group: str = "") -> list[dict[str, Any]]:
    return [
        {
            "operations": ["*"],
            "apiGroups": [group],
            "apiVersions": ["v1"],
            "resources": [resource],
        }
    ]


@pytest.fixture
def pod_story(play: Any, serve: Any, configuration: Any, pod: Any, account: Any) -> Any:
    """Plays a story with one pod and a webhook that denies a subresource of its."""

    def run(resource: str, story: Callable[[Any, Any], Any]) -> None:
        async def whole(api: Any) -> None:
            async with serve(lambda _request: {"allowed": False}) as hook:
                await api.create("/api/v1/namespaces/default/serviceaccounts", account)
                await api.create(PODS, pod())
                body = configuration(hook.client(), kind="Validating", rules=rules(resource))
                await api.create(CONFIGURATIONS, body)
                await story(api, hook)

        play(whole, in_real_time=True)

    return run


def test_bindings(pod_story: Any) -> None:
    async def story(api: Any, hook: Any) -> None:
        body = {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "node-1"}}
        answer = await api.send("POST", f"{PODS}/web/binding", body)
        assert answer.code == 400
        (request,) = hook.requests
        assert request["kind"] == {"group": "", "version": "v1", "kind": "Binding"}
        assert request["resource"]["resource"] == "pods"
        assert (request["subResource"], request["name"]) == ("binding", "web")
        assert request["object"]["target"]["name"] == "node-1"
        assert "nodeName" not in (await api.send("GET", f"{PODS}/web"))["spec"]

    pod_story("pods/binding", story)


def test_evictions(pod_story: Any) -> None:
    async def story(api: Any, hook: Any) -> None:
        answer = await api.send("POST", f"{PODS}/web/eviction", {"metadata": {"name": "web"}})
        assert answer.code == 400
        (request,) = hook.requests
        assert request["kind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}
        assert (await api.send("GET", f"{PODS}/web")).code == 200

    pod_story("pods/eviction", story)


def test_status(pod_story: Any) -> None:
    async def story(api: Any, hook: Any) -> None:
        patch = {"status": {"phase": "Running"}}
        answer = await api.send(
            "PATCH",
            f"{PODS}/web/status",
            patch,
            headers={"content-type": "application/merge-patch+json"},
        )
        assert answer.code == 400
        (request,) = hook.requests
        assert (request["operation"], request["subResource"]) == ("UPDATE", "status")
        assert request["options"]["kind"] == "PatchOptions"
        assert request["object"]["status"]["phase"] == "Running"

    pod_story("pods/status", story)


@pytest.mark.parametrize(
    ("action", "kind"), [("exec", "PodExecOptions"), ("attach", "PodAttachOptions")]
)
def test_connections(pod_story: Any, action: str, kind: str) -> None:
    async def story(api: Any, hook: Any) -> None:
        path = f"{PODS}/web/{action}?command=sh&command=-c&stdin=true&container=main"
        answer = await api.send("POST", path)
        assert answer.code == 400
        assert "denied the request" in answer["message"]
        (request,) = hook.requests
        assert (request["operation"], request["subResource"]) == ("CONNECT", action)
        assert request["kind"]["kind"] == request["object"]["kind"] == kind
        assert request["object"]["stdin"] is True
        assert request["object"]["container"] == "main"
        assert request["options"] is None
        if action == "exec":
            assert request["object"]["command"] == ["sh", "-c"]

    pod_story(f"pods/{action}", story)


def test_tokens(play: Any, serve: Any, configuration: Any, account: Any) -> None:
    async def story(api: Any) -> None:
        async with serve(lambda _request: {"allowed": False}) as hook:
            path = "/api/v1/namespaces/default/serviceaccounts"
            await api.create(path, account)
            given = rules("serviceaccounts/token")
            await api.create(
                CONFIGURATIONS, configuration(hook.client(), kind="Validating", rules=given)
            )
            answer = await api.send("POST", f"{path}/default/token", {"spec": {}})
            assert answer.code == 400
            (request,) = hook.requests
            assert request["kind"]["kind"] == "TokenRequest"

    play(story, in_real_time=True)


def test_scales(play: Any, serve: Any, configuration: Any) -> None:
    async def story(api: Any) -> None:
        async with serve(lambda _request: {"allowed": False}) as hook:
            template = {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": "hello:1"}]},
            }
            deployment = {
                "metadata": {"name": "web"},
                "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template},
            }
            path = "/apis/apps/v1/namespaces/default/deployments"
            await api.create(path, deployment)
            given = rules("deployments/scale", "apps")
            await api.create(
                CONFIGURATIONS, configuration(hook.client(), kind="Validating", rules=given)
            )
            answer = await api.send(
                "PATCH",
                f"{path}/web/scale",
                {"spec": {"replicas": 5}},
                headers={"content-type": "application/merge-patch+json"},
            )
            assert answer.code == 400
            (request,) = hook.requests
            assert request["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
            assert request["object"]["spec"]["replicas"] == 5
            assert request["oldObject"]["spec"]["replicas"] == 1

    play(story, in_real_time=True)
