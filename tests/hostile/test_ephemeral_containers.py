"""A container that is added later passes what the pod had to pass (48)."""

from collections.abc import Callable
from typing import Any

from tests.control.api.conftest import Api

Play = Callable[..., None]
STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}
GROUP = "/apis/admissionregistration.k8s.io/v1"
HARDENED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def debugger(**context: Any) -> dict[str, Any]:
    container = {"name": "debug", "image": "busybox:1", "securityContext": context}
    return {"spec": {"ephemeralContainers": [container]}}


async def running(api: Api, **labels: str) -> str:
    """The path of a hardened pod in a namespace with such labels."""
    space = "/api/v1/namespaces/shop"
    await api.create("/api/v1/namespaces", {"metadata": {"name": "shop", "labels": labels}})
    await api.create(f"{space}/serviceaccounts", {"metadata": {"name": "default"}})
    container = {"name": "main", "image": "hello:1", "securityContext": HARDENED}
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [container]}}
    await api.create(f"{space}/pods", pod)
    return f"{space}/pods/p/ephemeralcontainers"


def test_the_standard_of_the_namespace_holds(play: Play) -> None:
    async def story(api: Api) -> None:
        path = await running(api, **{"pod-security.kubernetes.io/enforce": "restricted"})
        answer = await api.send("PATCH", path, debugger(privileged=True), headers=STRATEGIC)
        assert (answer.code, answer["reason"]) == (403, "Forbidden")
        assert "violates PodSecurity" in answer["message"]
        taken = await api.send("PATCH", path, debugger(**HARDENED), headers=STRATEGIC)
        assert taken.code == 200

    play(story)


def test_policies_for_the_subresource_hold(play: Play) -> None:
    rule = {
        "operations": ["UPDATE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["pods/ephemeralcontainers"],
    }
    expression = "object.spec.ephemeralContainers.all(c, c.image.startsWith('trusted/'))"
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": expression, "message": "not from there"}],
    }

    async def story(api: Api) -> None:
        path = await running(api)
        policy = {"metadata": {"name": "images"}, "spec": spec}
        await api.create(f"{GROUP}/validatingadmissionpolicies", policy)
        binding = {"policyName": "images", "validationActions": ["Deny"]}
        body = {"metadata": {"name": "images"}, "spec": binding}
        await api.create(f"{GROUP}/validatingadmissionpolicybindings", body)
        answer = await api.send("PATCH", path, debugger(), headers=STRATEGIC)
        assert answer.code == 422
        assert "not from there" in answer["message"]

    play(story)
