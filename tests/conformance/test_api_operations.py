"""Kinds that must have every operation: found in discovery, created, read, listed, watched,
patched, updated, with a status of its own where there is one, and deleted alone or by selector.
"""

from typing import Any

import pytest
from tests.conformance.requests import MERGE, deleted, names, patched, read, updated, watch
from tests.control.api.conftest import Api
from tests.control.api.test_other_kinds import valid

from sampan.kubernetes.kinds import resource as resources
from sampan.kubernetes.kinds.all import BY_RESOURCE
from sampan.kubernetes.kinds.resource import Resource

LABELS = {"of": "test"}
# What a status may bring, for kinds that have one.
CONDITION = {
    "type": "Checked",
    "status": "True",
    "reason": "Fine",
    "message": "so be it",
    "lastTransitionTime": "2026-11-23T12:00:00Z",
}
STATUSES: dict[Resource, Any] = {
    resources.FLOW_SCHEMAS: {"conditions": [CONDITION]},
    resources.PRIORITY_LEVEL_CONFIGURATIONS: {"conditions": [CONDITION]},
    resources.VALIDATING_ADMISSION_POLICIES: {"conditions": [CONDITION]},
    resources.STORAGE_VERSION_MIGRATIONS: {"conditions": [CONDITION]},
    resources.CERTIFICATE_SIGNING_REQUESTS: {"conditions": [CONDITION]},
    resources.POD_CERTIFICATE_REQUESTS: {
        "conditions": [{**CONDITION, "type": "Denied", "reason": "Policy"}]
    },
}
KINDS = (
    resources.FLOW_SCHEMAS,
    resources.PRIORITY_LEVEL_CONFIGURATIONS,
    resources.MUTATING_ADMISSION_POLICIES,
    resources.MUTATING_ADMISSION_POLICY_BINDINGS,
    resources.VALIDATING_ADMISSION_POLICIES,
    resources.VALIDATING_ADMISSION_POLICY_BINDINGS,
    resources.STORAGE_VERSION_MIGRATIONS,
    resources.CERTIFICATE_SIGNING_REQUESTS,
    resources.POD_CERTIFICATE_REQUESTS,
    resources.CLUSTER_TRUST_BUNDLES,
)


def one(resource: Resource, number: int) -> dict[str, Any]:
    body = valid(resource)
    name = f"{body['metadata']['name']}-{number}"
    return {**body, "metadata": {"name": name, "labels": LABELS}}


@pytest.mark.parametrize("resource", KINDS, ids=lambda it: it.kind)
def test_every_operation(play: Any, resource: Resource) -> None:
    async def story(api: Api) -> None:
        collection = resource.path("default" if resource.namespaced else "")
        await _discovered(api, resource)
        made = [await api.create(collection, one(resource, number)) for number in range(3)]
        first = f"{collection}/{made[0]['metadata']['name']}"
        assert (await read(api, first))["metadata"]["uid"] == made[0]["metadata"]["uid"]
        listed = await read(api, collection, labelSelector="of=test")
        assert names(listed) == [it["metadata"]["name"] for it in made]
        if resource.namespaced:
            everywhere = await read(api, resource.path(""), labelSelector="of=test")
            assert names(everywhere) == names(listed)
        version = listed["metadata"]["resourceVersion"]
        stream = await watch(api, collection, resourceVersion=version, labelSelector="of=test")
        shown = await patched(api, first, {"metadata": {"annotations": {"patched": "yes"}}})
        assert shown["metadata"]["annotations"]["patched"] == "yes"
        shown["metadata"]["annotations"]["updated"] = "yes"
        shown = await updated(api, first, shown)
        assert shown["metadata"]["annotations"]["updated"] == "yes"
        assert await stream.types(2) == ["MODIFIED", "MODIFIED"]
        if resource in STATUSES:
            await _status(api, first, STATUSES[resource])
            assert await stream.types(1) == ["MODIFIED"]
        await deleted(api, first)
        # Whoever looks after a kind may write its status in between.
        while (event := await stream.next())["type"] == "MODIFIED":
            pass
        assert event["type"] == "DELETED"
        assert (await api.send("GET", first)).code == 404
        assert len((await read(api, collection, labelSelector="of=test"))["items"]) == 2
        await deleted(api, collection, labelSelector="of=test")
        assert (await read(api, collection, labelSelector="of=test"))["items"] == []

    play(story)


async def _discovered(api: Api, resource: Resource) -> None:
    groups = await read(api, "/apis")
    (group,) = [it for it in groups["groups"] if it["name"] == resource.group]
    assert resource.version in [it["version"] for it in group["versions"]]
    known = {
        it["name"]: it for it in (await read(api, f"/apis/{resource.group_version}"))["resources"]
    }
    assert known[resource.plural]["kind"] == resource.kind
    verbs = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
    assert verbs <= set(known[resource.plural]["verbs"])
    has_status = any(it.name == "status" for it in BY_RESOURCE[resource].subresources)
    assert (f"{resource.plural}/status" in known) == has_status


async def _status(api: Api, path: str, status: Any) -> None:
    """The status is read, patched and updated through its own door."""
    assert (await read(api, f"{path}/status"))["metadata"]["name"] == path.rpartition("/")[2]
    answer = await api.send("PATCH", f"{path}/status", {"status": status}, headers=MERGE)
    assert answer.code == 200, answer.json
    (condition,) = answer["status"]["conditions"]
    assert condition["reason"] == status["conditions"][0]["reason"]
    tree = answer.json
    tree["metadata"].setdefault("annotations", {})["of-status"] = "yes"
    assert (await api.send("PUT", f"{path}/status", tree)).code == 200
