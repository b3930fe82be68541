"""The kinds of the core and the workload groups over the API: written, read back, scaled."""

import pytest
from tests.kubernetes.kinds.minimal_objects import KINDS, created, identifier

NAMESPACE = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default"
MERGE = {"content-type": "application/merge-patch+json"}
STRATEGIC = {"content-type": "application/strategic-merge-patch+json"}
TABLE = {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
SCALED = (
    f"{NAMESPACE}/replicationcontrollers",
    f"{APPS}/deployments",
    f"{APPS}/replicasets",
    f"{APPS}/statefulsets",
)
# Namespaces are deleted in steps.
WRITABLE = [kind for kind in KINDS if kind.resource.kind != "Namespace"]


def _new(kind):
    tree = created(kind)
    tree["metadata"] = {"name": "web"}
    return tree


def _pod(**container):
    return {
        "metadata": {"name": "web"},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": "hello:1", **container}],
        },
    }


async def _with_account(api):
    await api.create(f"{NAMESPACE}/serviceaccounts", {"metadata": {"name": "default"}})


@pytest.mark.parametrize("kind", WRITABLE, ids=identifier)
def test_every_kind_is_written_listed_and_deleted(play, kind):
    path = kind.resource.path("default")

    async def story(api):
        if kind.resource.kind == "Pod":
            await _with_account(api)
        made = await api.create(path, _new(kind))
        assert (await api.send("GET", f"{path}/web")).json == made
        assert (await api.send("PUT", f"{path}/web", made)).json == made
        labels = {"metadata": {"labels": {"tier": "front"}}}
        patched = await api.send("PATCH", f"{path}/web", labels, headers=MERGE)
        assert patched["metadata"]["labels"]["tier"] == "front"
        assert patched["metadata"].get("generation") == made["metadata"].get("generation")
        table = await api.send("GET", f"{path}/web", headers=TABLE)
        assert len(table["rows"][0]["cells"]) == len(kind.columns)
        released = {"metadata": {"finalizers": None}}
        await api.send("PATCH", f"{path}/web", released, headers=MERGE)
        gone = await api.send("DELETE", f"{path}/web", propagationPolicy="Background")
        assert gone.code == 200
        assert (await api.send("GET", f"{path}/web")).code == 404

    play(story)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.subresource("status")], ids=identifier
)
def test_of_a_write_to_the_status_nothing_else_counts(play, kind):
    path = kind.resource.path("default")

    async def story(api):
        if kind.resource.kind == "Pod":
            await _with_account(api)
        made = await api.create(path, _new(kind))
        head = {"kind": kind.resource.kind, "apiVersion": kind.resource.group_version}
        status = {key: value for key, value in made.items() if key == "status"}
        version = made["metadata"]["resourceVersion"]
        for spec in ({}, {"spec": {}}):
            named = {"name": "web", "resourceVersion": version}
            bare = {**head, "metadata": named, **spec, **status}
            answer = await api.send("PUT", f"{path}/web/status", bare)
            assert answer.code == 200, answer.json["message"]
            assert answer.json.get("spec") == made.get("spec")
            version = answer["metadata"]["resourceVersion"]

    play(story)


@pytest.mark.parametrize("path", SCALED)
def test_workloads_are_scaled(play, path):
    kind = next(it for it in KINDS if it.resource.path("default") == path)

    async def story(api):
        made = await api.create(path, _new(kind))
        scale = await api.send("GET", f"{path}/web/scale")
        assert scale["spec"] == {"replicas": 1}
        assert scale["status"]["selector"] == "app=web"
        three = {"spec": {"replicas": 3}}
        assert (await api.send("PATCH", f"{path}/web/scale", three, headers=MERGE)).code == 200
        now = await api.send("GET", f"{path}/web")
        assert now["spec"]["replicas"] == 3
        assert now["metadata"]["generation"] == made["metadata"]["generation"] + 1

    play(story)


def test_an_autoscaler_is_one_object_in_two_versions(play):
    kind = next(it for it in KINDS if it.resource.version == "v2")
    second = kind.resource.path("default")
    first = second.replace("/v2/", "/v1/")

    async def story(api):
        made = await api.create(second, _new(kind))
        shown = await api.send("GET", f"{first}/web")
        assert shown["apiVersion"] == "autoscaling/v1"
        assert shown["spec"]["targetCPUUtilizationPercentage"] == 80
        assert shown["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        half = {"spec": {"targetCPUUtilizationPercentage": 50}}
        assert (await api.send("PATCH", f"{first}/web", half, headers=MERGE)).code == 200
        metric = (await api.send("GET", f"{second}/web"))["spec"]["metrics"][0]
        assert metric["resource"]["target"]["averageUtilization"] == 50

    play(story)


def test_a_debugging_container_is_added_to_a_pod(play):
    async def story(api):
        await _with_account(api)
        await api.create(f"{NAMESPACE}/pods", _pod())
        path = f"{NAMESPACE}/pods/web"
        debugger = {"name": "debug", "image": "hello:1", "targetContainerName": "main"}
        patch = {"spec": {"ephemeralContainers": [debugger]}}
        direct = await api.send("PATCH", path, patch, headers=STRATEGIC)
        assert direct.code == 422
        added = await api.send("PATCH", f"{path}/ephemeralcontainers", patch, headers=STRATEGIC)
        assert added.code == 200, added.json
        assert added["spec"]["ephemeralContainers"][0]["imagePullPolicy"] == "IfNotPresent"
        assert added["metadata"]["generation"] == 2
        gone = {"spec": {"ephemeralContainers": []}}
        refused = await api.send("PATCH", f"{path}/ephemeralcontainers", gone, headers=MERGE)
        assert refused.code == 422
        assert "may not be removed" in refused["message"]

    play(story)


def test_the_resources_of_a_pod_are_changed(play):
    async def story(api):
        await _with_account(api)
        path = f"{NAMESPACE}/pods"
        await api.create(path, _pod(resources={"requests": {"cpu": "100m"}}))
        main = {"name": "main", "resources": {"requests": {"cpu": "200m"}}}
        patch = {"spec": {"containers": [main]}}
        assert (await api.send("PATCH", f"{path}/web", patch, headers=STRATEGIC)).code == 422
        resized = await api.send("PATCH", f"{path}/web/resize", patch, headers=STRATEGIC)
        assert resized.code == 200, resized.json
        assert resized["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "200m"}}

    play(story)


def test_component_statuses_are_known_and_deprecated(play):
    async def story(api):
        answer = await api.send("GET", "/api/v1/componentstatuses")
        assert answer["items"] == []
        assert "deprecated" in answer.headers["Warning"]
        assert (await api.send("POST", "/api/v1/componentstatuses", {})).code == 405

    play(story)


def test_a_pod_is_bound_by_what_is_posted_apart(play):
    async def story(api):
        await _with_account(api)
        await api.create(f"{NAMESPACE}/pods", _pod())
        binding = {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "node-1"}}
        assert (await api.send("POST", f"{NAMESPACE}/bindings", binding)).code == 201
        assert (await api.send("GET", f"{NAMESPACE}/pods/web"))["spec"]["nodeName"] == "node-1"
        again = await api.send("POST", f"{NAMESPACE}/bindings", binding)
        assert again.code == 409
        assert "already assigned" in again["message"]
        assert (await api.send("POST", f"{NAMESPACE}/bindings", {"target": {}})).code == 422
        assert (await api.send("GET", f"{NAMESPACE}/bindings")).code == 405

    play(story)


def test_a_pod_at_a_gate_is_not_bound(play):
    async def story(api):
        await _with_account(api)
        pod = _pod()
        pod["spec"]["schedulingGates"] = [{"name": "example.com/wait"}]
        await api.create(f"{NAMESPACE}/pods", pod)
        binding = {"metadata": {"name": "web"}, "target": {"name": "node-1"}}
        early = await api.send("POST", f"{NAMESPACE}/pods/web/binding", binding)
        assert early.code == 409
        assert "non-empty .spec.schedulingGates" in early["message"]
        opened = {"spec": {"schedulingGates": []}}
        path = f"{NAMESPACE}/pods/web"
        assert (await api.send("PATCH", path, opened, headers=MERGE)).code == 200
        assert (await api.send("POST", f"{path}/binding", binding)).code == 201

    play(story)
