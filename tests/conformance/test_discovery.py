"""Discovery, the version, and the forms that only resources of this server have."""

from typing import Any

from tests.conformance.requests import read
from tests.control.api.conftest import Api
from tests.control.api.custom_resources.conftest import define, definition

AGGREGATED = {"accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
TABLE = {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
# Groups, versions and resources that every cluster has.
EVERYWHERE = {
    ("", "v1"): ("namespaces", "pods", "services", "configmaps"),
    ("apps", "v1"): ("deployments", "daemonsets", "statefulsets"),
    ("batch", "v1"): ("jobs", "cronjobs"),
    ("rbac.authorization.k8s.io", "v1"): ("clusterroles", "roles"),
    ("admissionregistration.k8s.io", "v1"): (
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
    ),
    ("apiextensions.k8s.io", "v1"): ("customresourcedefinitions",),
    ("apiregistration.k8s.io", "v1"): ("apiservices",),
}


def told(document: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """The resources of an aggregated document by group and version, then name."""
    return {
        (group["metadata"].get("name", ""), version["version"]): {
            resource["resource"]: resource for resource in version["resources"]
        }
        for group in document["items"]
        for version in group["versions"]
    }


async def aggregated(api: Api) -> Any:
    core = await api.send("GET", "/api", headers=AGGREGATED)
    groups = await api.send("GET", "/apis", headers=AGGREGATED)
    return told(core) | told(groups)


def test_aggregated_discovery_tells_of_everything(play: Any) -> None:
    async def story(api: Api) -> None:
        found = await aggregated(api)
        for key, resources in EVERYWHERE.items():
            assert set(resources) <= found[key].keys()
        pods = found["", "v1"]["pods"]
        assert pods["responseKind"] == {"group": "", "version": "v1", "kind": "Pod"}
        assert pods["scope"] == "Namespaced"
        assert {"create", "watch"} <= set(pods["verbs"])
        assert {"status", "log", "exec"} <= {it["subresource"] for it in pods["subresources"]}

    play(story)


def test_aggregated_discovery_is_asked_for_by_the_accept_header(play: Any) -> None:
    async def story(api: Api) -> None:
        for path, kind in (("/api", "APIVersions"), ("/apis", "APIGroupList")):
            answer = await api.send("GET", path, headers=AGGREGATED)
            assert answer.headers["Content-Type"] == AGGREGATED["accept"]
            assert answer["kind"] == "APIGroupDiscoveryList"
            assert answer["apiVersion"] == "apidiscovery.k8s.io/v2"
            assert answer.headers["ETag"]
            plain = await api.send("GET", path, headers={"accept": "application/json"})
            assert plain.headers["Content-Type"] == "application/json"
            assert plain["kind"] == kind

    play(story)


def test_aggregated_discovery_tells_of_custom_resources(play: Any) -> None:
    async def story(api: Api) -> None:
        assert ("example.com", "v1") not in await aggregated(api)
        await define(api, definition())
        found = (await aggregated(api))["example.com", "v1"]["widgets"]
        assert found["responseKind"]["kind"] == "Widget"
        assert found["singularResource"] == "widget"

    play(story)


def test_each_group_prefers_a_version_that_it_has(play: Any) -> None:
    async def story(api: Api) -> None:
        groups = (await read(api, "/apis"))["groups"]
        assert groups
        for group in groups:
            shown = await read(api, f"/apis/{group['name']}")
            preferred = shown["preferredVersion"]
            assert preferred == group["preferredVersion"]
            assert preferred in shown["versions"]
            assert preferred["groupVersion"] == f"{group['name']}/{preferred['version']}"

    play(story)


def test_each_group_and_version_leads_to_its_resources(play: Any) -> None:
    async def story(api: Api) -> None:
        for (group, version), resources in EVERYWHERE.items():
            path = f"/apis/{group}/{version}" if group else f"/api/{version}"
            listed = await read(api, path)
            assert listed["kind"] == "APIResourceList"
            assert listed["groupVersion"] == path.partition("/api")[2].removeprefix("s").strip("/")
            assert set(resources) <= {it["name"] for it in listed["resources"]}
        admission = await read(api, "/apis/admissionregistration.k8s.io")
        assert "v1" in [it["version"] for it in admission["versions"]]

    play(story)


def test_the_version_of_the_server(play: Any) -> None:
    async def story(api: Api) -> None:
        version = await read(api, "/version")
        assert (version["major"], version["minor"].rstrip("+")) == ("1", "37")
        assert version["gitVersion"].startswith("v1.37.")

    play(story)


def test_what_is_no_resource_has_no_table(play: Any) -> None:
    async def story(api: Api) -> None:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = await api.send("POST", path, review, headers=TABLE)
        assert (answer.code, answer["reason"]) == (406, "NotAcceptable")

    play(story)
