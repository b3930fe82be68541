"""LimitRanges fill in what containers lack, and refuse what is too little or too much."""

from typing import Any

import pytest
from tests.control.api.conftest import Api

from sampan.control.api.admission.limit_ranger import claim_problems, fill_pod, pod_problems

NAMESPACE = "/api/v1/namespaces/default"


def limit_range(kind: str = "Container", **item: Any) -> Any:
    return {"spec": {"limits": [{"type": kind, **item}]}}


def container(name: str = "a", **resources: Any) -> Any:
    return {"name": name, "image": "hello:1", "resources": resources}


def pod(*containers: Any, **spec: Any) -> Any:
    return {"metadata": {"name": "p"}, "spec": {"containers": list(containers), **spec}}


def test_defaults_are_filled_in_where_nothing_is_said() -> None:
    given = pod(container(requests={"cpu": "1"}), initContainers=[container("i")])
    default = limit_range(
        default={"cpu": "2", "memory": "1Gi"}, defaultRequest={"cpu": "500m", "memory": "1Mi"}
    )
    assert fill_pod(given, default) == [
        "memory request for container a",
        "cpu, memory limit for container a",
        "cpu, memory request for init container i",
        "cpu, memory limit for init container i",
    ]
    assert given["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "1", "memory": "1Mi"},
        "limits": {"cpu": "2", "memory": "1Gi"},
    }


@pytest.mark.parametrize(
    ("item", "resources", "problem"),
    [
        (
            {"min": {"cpu": "100m"}},
            {"requests": {"cpu": "50m"}},
            "minimum cpu usage per Container is 100m, but request is 50m",
        ),
        (
            {"min": {"cpu": "100m"}},
            {},
            "minimum cpu usage per Container is 100m.  No request is specified",
        ),
        (
            {"max": {"memory": "1Gi"}},
            {"limits": {"memory": "2Gi"}},
            "maximum memory usage per Container is 1Gi, but limit is 2Gi",
        ),
        (
            {"max": {"memory": "1Gi"}},
            {},
            "maximum memory usage per Container is 1Gi.  No limit is specified",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"requests": {"cpu": "1"}, "limits": {"cpu": "3"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"limits": {"cpu": "3"}},
            "cpu max limit to request ratio per Container is 2, but no request is specified or "
            "request is 0",
        ),
        (
            {"min": {"cpu": "1"}, "max": {"cpu": "1"}},
            {"requests": {"cpu": "1"}, "limits": {"cpu": "1"}},
            None,
        ),
    ],
)
def test_containers(item: Any, resources: Any, problem: str | None) -> None:
    found = list(pod_problems(pod(container(**resources)), limit_range(**item)))
    assert found == ([problem] if problem else [])


def test_a_pod_is_measured_as_a_whole() -> None:
    half = {"limits": {"cpu": "600m"}, "requests": {"cpu": "600m"}}
    bound = limit_range("Pod", max={"cpu": "1"})
    two = pod(container("a", **half), container("b", **half))
    assert list(pod_problems(two, bound)) == ["maximum cpu usage per Pod is 1, but limit is 1200m"]
    one_after_another = pod(container("a", **half), initContainers=[container("i", **half)])
    assert list(pod_problems(one_after_another, bound)) == []
    beside = {**container("s", **half), "restartPolicy": "Always"}
    assert list(pod_problems(pod(container("a", **half), initContainers=[beside]), bound)) != []


def test_claims() -> None:
    bound = limit_range("PersistentVolumeClaim", min={"storage": "1Gi"}, max={"storage": "2Gi"})
    problems = {
        size: list(claim_problems({"spec": {"resources": {"requests": {"storage": size}}}}, bound))
        for size in ("500Mi", "1Gi", "3Gi")
    }
    head = "usage per PersistentVolumeClaim is"
    assert problems == {
        "500Mi": [f"minimum storage {head} 1Gi, but request is 500Mi"],
        "1Gi": [],
        "3Gi": [f"maximum storage {head} 2Gi, but request is 3Gi"],
    }


def test_over_the_api(play: Any, account: Any) -> None:
    async def story(api: Api) -> None:
        await api.create(f"{NAMESPACE}/serviceaccounts", account)
        body = {
            "metadata": {"name": "limits"},
            **limit_range(max={"cpu": "1"}, default={"cpu": "500m"}),
        }
        await api.create(f"{NAMESPACE}/limitranges", body)
        made = await api.create(f"{NAMESPACE}/pods", pod(container()))
        assert made["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "500m"}
        told = made["metadata"]["annotations"]["kubernetes.io/limit-ranger"]
        assert told.startswith("LimitRanger plugin set: cpu request for container a")
        greedy = pod(container(limits={"cpu": "2"}))
        greedy["metadata"]["name"] = "greedy"
        answer = await api.send("POST", f"{NAMESPACE}/pods", greedy)
        assert answer.code == 403
        assert answer["message"] == (
            'pods "greedy" is forbidden: maximum cpu usage per Container is 1, but limit is 2'
        )

    play(story)
