"""What is done to claims and volumes on their way in, and to new nodes."""

from typing import Any

import pytest
from tests.control.api.conftest import Api

CORE = "/api/v1"
CLAIMS = f"{CORE}/namespaces/default/persistentvolumeclaims"
VOLUMES = f"{CORE}/persistentvolumes"
NODES = f"{CORE}/nodes"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
MERGE = {"content-type": "application/merge-patch+json"}
NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


def claim(name: str = "data", **spec: Any) -> Any:
    resources = {"requests": {"storage": "1Gi"}}
    return {
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": resources, **spec},
    }


def volume(name: str = "disk") -> Any:
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/srv"},
    }
    return {"metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize(
    ("path", "body", "finalizer"),
    [
        (CLAIMS, claim(), "kubernetes.io/pvc-protection"),
        (VOLUMES, volume(), "kubernetes.io/pv-protection"),
    ],
)
def test_storage_is_kept_until_nobody_uses_it(
    play: Any, path: str, body: Any, finalizer: str
) -> None:
    async def story(api: Api) -> None:
        name = body["metadata"]["name"]
        assert (await api.create(path, body))["metadata"]["finalizers"] == [finalizer]
        marked = await api.send("DELETE", f"{path}/{name}")
        assert marked["metadata"]["deletionTimestamp"]
        released = {"metadata": {"finalizers": []}}
        await api.send("PATCH", f"{path}/{name}", released, headers=MERGE)
        assert (await api.send("GET", f"{path}/{name}")).code == 404
        own = {"name": "own", "finalizers": ["example.com/mine", finalizer]}
        made = await api.create(path, body | {"metadata": own})
        assert made["metadata"]["finalizers"] == own["finalizers"]

    play(story)


async def claim_in(api: Api, name: str, phase: str) -> None:
    storage_class = "" if name == "none" else name
    await api.create(CLAIMS, claim(name, storageClassName=storage_class))
    status = {"status": {"phase": phase, "capacity": {"storage": "1Gi"}}}
    answer = await api.send("PATCH", f"{CLAIMS}/{name}/status", status, headers=MERGE)
    assert answer.code == 200, answer.json


async def classes(api: Api) -> None:
    for name, expansion in (("grows", {"allowVolumeExpansion": True}), ("fixed", {})):
        body = {"metadata": {"name": name}, "provisioner": "example.com/disks", **expansion}
        await api.create(CLASSES, body)


UNBOUND = "only bound persistent volume claims can be expanded"
FIXED = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the "
    "pvc must support resize"
)


@pytest.mark.parametrize(
    ("name", "size", "code", "complaint"),
    [
        ("grows", "2Gi", 200, ""),
        ("grows", "1024Mi", 200, ""),
        ("fixed", "1Gi", 200, ""),
        ("fixed", "2Gi", 403, FIXED),
        ("none", "2Gi", 403, FIXED),
        ("gone", "2Gi", 403, FIXED),
        ("grows", "512Mi", 422, "field can not be less than status.capacity"),
    ],
)
def test_what_may_grow(play: Any, name: str, size: str, code: int, complaint: str) -> None:
    async def story(api: Api) -> None:
        await classes(api)
        await claim_in(api, name, "Bound")
        growth = {"spec": {"resources": {"requests": {"storage": size}}}}
        answer = await api.send("PATCH", f"{CLAIMS}/{name}", growth, headers=MERGE)
        assert answer.code == code, answer.json
        if code == 403:
            head = f'persistentvolumeclaims "{name}" is forbidden: '
            assert answer["message"] == head + complaint
        elif code == 422:
            assert complaint in answer["message"]

    play(story)


def test_a_claim_without_a_volume_does_not_grow(play: Any) -> None:
    async def story(api: Api) -> None:
        await classes(api)
        await claim_in(api, "grows", "Pending")
        growth = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        answer = await api.send("PATCH", f"{CLAIMS}/grows", growth, headers=MERGE)
        # What may change of an unbound claim is decided before how far a bound one may grow.
        assert answer.code == 422, answer.json

    play(story)


@pytest.mark.parametrize(
    ("taints", "expected"),
    [
        ([], [NOT_READY]),
        ([{"key": "a", "effect": "NoExecute"}], [{"key": "a", "effect": "NoExecute"}, NOT_READY]),
        ([NOT_READY], [NOT_READY]),
    ],
)
def test_a_new_node_takes_no_pods_yet(play: Any, taints: Any, expected: Any) -> None:
    async def story(api: Api) -> None:
        made = await api.create(NODES, {"metadata": {"name": "n"}, "spec": {"taints": taints}})
        assert made["spec"]["taints"] == expected
        freed = {"spec": {"taints": None}}
        answer = await api.send("PATCH", f"{NODES}/n", freed, headers=MERGE)
        assert "taints" not in answer["spec"]

    play(story)
