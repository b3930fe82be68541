"""Priority, runtime, storage and ingress classes: what they bring, and which is the default."""

from datetime import timedelta
from typing import Any

import pytest
from tests.control.api.conftest import Api

NAMESPACE = "/api/v1/namespaces/default"
PODS = f"{NAMESPACE}/pods"
PRIORITIES = "/apis/scheduling.k8s.io/v1/priorityclasses"
RUNTIMES = "/apis/node.k8s.io/v1/runtimeclasses"
STORAGE = "/apis/storage.k8s.io/v1/storageclasses"
INGRESS_CLASSES = "/apis/networking.k8s.io/v1/ingressclasses"
INGRESSES = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"


def body(**spec: Any) -> Any:
    containers = [{"name": "a", "image": "hello:1"}]
    return {"metadata": {"name": "p"}, "spec": {"containers": containers, **spec}}


async def prepared(api: Api, account: Any) -> None:
    await api.create(f"{NAMESPACE}/serviceaccounts", account)
    for name, value, default in (("high", 1000, False), ("usual", 10, True)):
        given = {"metadata": {"name": name}, "value": value, "globalDefault": default}
        await api.create(PRIORITIES, {**given, "preemptionPolicy": "Never"})


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ("usual", 10, "Never")),
        ({"priorityClassName": "high"}, ("high", 1000, "Never")),
        ({"priorityClassName": "high", "priority": 1000}, ("high", 1000, "Never")),
        (
            {"priorityClassName": "system-node-critical"},
            ("system-node-critical", 2_000_001_000, "PreemptLowerPriority"),
        ),
    ],
)
def test_priorities(play: Any, account: Any, spec: Any, expected: Any) -> None:
    async def story(api: Api) -> None:
        await prepared(api, account)
        made = (await api.create(PODS, body(**spec)))["spec"]
        found = (made["priorityClassName"], made["priority"], made["preemptionPolicy"])
        assert found == expected

    play(story)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"priorityClassName": "none"}, "no PriorityClass with name none was found"),
        (
            {"priorityClassName": "high", "priority": 5},
            "the integer value of priority (5) must not be provided in pod spec; priority "
            "admission controller computed 1000 from the given PriorityClass name",
        ),
        (
            {"priorityClassName": "high", "preemptionPolicy": "PreemptLowerPriority"},
            "the string value of PreemptionPolicy (PreemptLowerPriority) must not be provided in "
            "pod spec; priority admission controller computed Never from the given PriorityClass "
            "name",
        ),
    ],
)
def test_priorities_that_are_refused(play: Any, account: Any, spec: Any, complaint: str) -> None:
    async def story(api: Api) -> None:
        await prepared(api, account)
        answer = await api.send("POST", PODS, body(**spec))
        assert answer.code == 403
        assert answer["message"] == f'pods "p" is forbidden: {complaint}'

    play(story)


def test_there_is_one_default_priority(play: Any, account: Any) -> None:
    async def story(api: Api) -> None:
        await prepared(api, account)
        other = {"metadata": {"name": "other"}, "value": 1, "globalDefault": True}
        answer = await api.send("POST", PRIORITIES, other)
        assert answer.code == 403
        assert "usual is already marked as default" in answer["message"]

    play(story)


async def runtime(api: Api, account: Any) -> None:
    await api.create(f"{NAMESPACE}/serviceaccounts", account)
    given = {
        "metadata": {"name": "vm"},
        "handler": "vm",
        "overhead": {"podFixed": {"cpu": "250m"}},
        "scheduling": {
            "nodeSelector": {"kvm": "yes"},
            "tolerations": [{"key": "vm", "operator": "Exists"}],
        },
    }
    await api.create(RUNTIMES, given)


def test_a_runtime_class_brings_its_overhead_and_its_nodes(play: Any, account: Any) -> None:
    async def story(api: Api) -> None:
        await runtime(api, account)
        made = (await api.create(PODS, body(runtimeClassName="vm", nodeSelector={"a": "b"})))[
            "spec"
        ]
        assert made["overhead"] == {"cpu": "250m"}
        assert made["nodeSelector"] == {"a": "b", "kvm": "yes"}
        assert {"key": "vm", "operator": "Exists"} in made["tolerations"]

    play(story)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found'),
        (
            {"runtimeClassName": "vm", "overhead": {"cpu": "1"}},
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        ),
        (
            {"overhead": {"cpu": "1"}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
        (
            {"runtimeClassName": "vm", "nodeSelector": {"kvm": "no"}},
            "conflict: runtimeClass.scheduling.nodeSelector[kvm] = yes; "
            "pod.spec.nodeSelector[kvm] = no",
        ),
    ],
)
def test_runtime_classes_that_do_not_fit(
    play: Any, account: Any, spec: Any, complaint: str
) -> None:
    async def story(api: Api) -> None:
        await runtime(api, account)
        answer = await api.send("POST", PODS, body(**spec))
        assert answer.code == 403
        assert answer["message"] == f'pods "p" is forbidden: {complaint}'

    play(story)


async def storage_class(api: Api, name: str, default: str = "true") -> None:
    annotations = {"storageclass.kubernetes.io/is-default-class": default}
    metadata = {"name": name, "annotations": annotations}
    await api.create(STORAGE, {"metadata": metadata, "provisioner": "example.com/disk"})


async def claim(api: Api, **spec: Any) -> Any:
    resources = {"requests": {"storage": "1Gi"}}
    given = {"accessModes": ["ReadWriteOnce"], "resources": resources, **spec}
    made = {"metadata": {"generateName": "c-"}, "spec": given}
    return (await api.create(f"{NAMESPACE}/persistentvolumeclaims", made))["spec"]


def test_the_newest_default_storage_class_counts(play: Any) -> None:
    async def story(api: Api) -> None:
        assert "storageClassName" not in await claim(api)
        await storage_class(api, "older")
        api.now += timedelta(minutes=1)
        await storage_class(api, "newer")
        await storage_class(api, "another", default="false")
        assert (await claim(api))["storageClassName"] == "newer"
        assert (await claim(api, storageClassName=""))["storageClassName"] == ""
        assert (await claim(api, storageClassName="older"))["storageClassName"] == "older"

    play(story)


def test_the_default_ingress_class(play: Any) -> None:
    async def story(api: Api) -> None:
        annotations = {"ingressclass.kubernetes.io/is-default-class": "true"}
        given = {"metadata": {"name": "web", "annotations": annotations}}
        await api.create(INGRESS_CLASSES, {**given, "spec": {"controller": "example.com/web"}})
        backend = {"service": {"name": "shop", "port": {"number": 80}}}
        made = {"metadata": {"name": "i"}, "spec": {"defaultBackend": backend}}
        assert (await api.create(INGRESSES, made))["spec"]["ingressClassName"] == "web"
        made["metadata"] = {"name": "j", "annotations": {"kubernetes.io/ingress.class": "old"}}
        assert "ingressClassName" not in (await api.create(INGRESSES, made))["spec"]

    play(story)
