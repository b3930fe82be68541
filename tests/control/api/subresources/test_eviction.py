"""Evictions ask the pod's PodDisruptionBudget, and never use one disruption twice."""

import asyncio
from typing import Any

import pytest
from tests.control.api.conftest import Answer, Api

PODS = "/api/v1/namespaces/default/pods"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


def pod(name: str) -> Any:
    container = {"name": "main", "image": "hello:1"}
    metadata = {"name": name, "labels": {"app": "hello"}}
    spec = {"containers": [container], "nodeName": "node-1"}
    return {"metadata": metadata, "spec": spec}


async def running(api: Api, name: str, *, ready: bool = True, phase: str = "Running") -> None:
    await api.send("POST", ACCOUNTS, {"metadata": {"name": "default"}})
    assert (await api.send("POST", PODS, pod(name))).code == 201
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    body = {"status": {"phase": phase, "conditions": [condition]}}
    patched = await api.send("PATCH", f"{PODS}/{name}/status", body, headers=MERGE)
    assert patched.code == 200


MERGE = {"content-type": "application/merge-patch+json"}


async def budget(api: Api, name: str = "budget", *, spec: Any = None, **account: Any) -> None:
    selector = {"matchLabels": {"app": "hello"}}
    given = {"selector": selector, "minAvailable": 1, **(spec or {})}
    body = {"metadata": {"name": name}, "spec": given}
    made = await api.send("POST", BUDGETS, body)
    assert made.code == 201, made.json
    status = {
        "observedGeneration": 1,
        "currentHealthy": 2,
        "desiredHealthy": 1,
        "expectedPods": 2,
        "disruptionsAllowed": 1,
        **account,
    }
    path = f"{BUDGETS}/{name}/status"
    assert (await api.send("PATCH", path, {"status": status}, headers=MERGE)).code == 200


async def evict(api: Api, name: str, **parameters: Any) -> Answer:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    return await api.send("POST", f"{PODS}/{name}/eviction", body, **parameters)


async def account(api: Api) -> Any:
    return (await api.send("GET", f"{BUDGETS}/budget"))["status"]


def test_a_pod_without_a_budget_goes(play: Any) -> None:
    async def story(api: Api) -> None:
        await running(api, "a")
        answer = await evict(api, "a")
        assert (answer.code, answer["status"]) == (201, "Success")
        left = await api.send("GET", f"{PODS}/a")
        assert left["metadata"]["deletionTimestamp"]
        told = {it["type"]: it for it in left["status"]["conditions"]}
        assert told["DisruptionTarget"]["reason"] == "EvictionByEvictionAPI"

    play(story)


def test_a_budget_is_charged_and_then_refuses(play: Any) -> None:
    async def story(api: Api) -> None:
        await running(api, "a")
        await running(api, "b")
        await budget(api)
        assert (await evict(api, "a")).code == 201
        assert (await account(api))["disruptionsAllowed"] == 0
        assert set((await account(api))["disruptedPods"]) == {"a"}
        refused = await evict(api, "b")
        assert (refused.code, refused["reason"]) == (429, "TooManyRequests")
        assert refused["message"] == (
            "Cannot evict pod as it would violate the pod's disruption budget."
        )
        (cause,) = refused["details"]["causes"]
        assert cause["reason"] == "DisruptionBudget"
        assert cause["message"] == (
            "The disruption budget budget needs 1 healthy pods and has 2 currently"
        )

    play(story)


def test_two_evictions_at_once_do_not_share_the_last_disruption(play: Any) -> None:
    async def story(api: Api) -> None:
        names = ("a", "b", "c", "d")
        for name in names:
            await running(api, name)
        await budget(api)
        answers = await asyncio.gather(*(evict(api, name) for name in names))
        assert sorted(answer.code for answer in answers) == [201, 429, 429, 429]

    play(story)


def test_a_budget_that_is_not_up_to_date_asks_to_wait(play: Any) -> None:
    async def story(api: Api) -> None:
        await running(api, "a")
        await budget(api, observedGeneration=0)
        refused = await evict(api, "a")
        assert refused.code == 429
        assert refused.headers["Retry-After"] == "10"
        assert "still being processed" in refused["details"]["causes"][0]["message"]

    play(story)


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
def test_pods_that_do_not_run_go_anyway(play: Any, phase: str) -> None:
    async def story(api: Api) -> None:
        await running(api, "a", phase=phase)
        await budget(api, disruptionsAllowed=0)
        assert (await evict(api, "a")).code == 201

    play(story)


@pytest.mark.parametrize(
    ("policy", "healthy", "code"),
    [("AlwaysAllow", 0, 201), ("IfHealthyBudget", 0, 429), ("IfHealthyBudget", 1, 201)],
)
def test_pods_that_are_not_ready(play: Any, policy: str, healthy: int, code: int) -> None:
    async def story(api: Api) -> None:
        await running(api, "a", ready=False)
        spec = {"unhealthyPodEvictionPolicy": policy}
        await budget(api, spec=spec, disruptionsAllowed=0, currentHealthy=healthy)
        assert (await evict(api, "a")).code == code

    play(story)


def test_two_budgets_for_one_pod_are_an_error(play: Any) -> None:
    async def story(api: Api) -> None:
        await running(api, "a")
        await budget(api)
        await budget(api, "other")
        refused = await evict(api, "a")
        assert refused.code == 500
        assert "more than one PodDisruptionBudget" in refused["message"]

    play(story)


def test_a_dry_run_charges_nothing(play: Any) -> None:
    async def story(api: Api) -> None:
        await running(api, "a")
        await budget(api)
        assert (await evict(api, "a", dryRun="All")).code == 201
        assert (await account(api))["disruptionsAllowed"] == 1
        assert "deletionTimestamp" not in (await api.send("GET", f"{PODS}/a"))["metadata"]

    play(story)


def test_the_body_names_the_pod_of_the_path(play: Any) -> None:
    async def story(api: Api) -> None:
        await running(api, "a")
        answer = await api.send("POST", f"{PODS}/a/eviction", {"metadata": {"name": "b"}})
        assert (answer.code, answer["reason"]) == (400, "BadRequest")
        assert (await evict(api, "none")).code == 404

    play(story)
