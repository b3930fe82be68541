"""What another server serves is served under this one's address."""

import json
from typing import Any

import msgspec
import pytest

from sampan.control.api.aggregation import availability, merged_swagger, servers
from sampan.control.api.proxies.target_name import is_proxyable
from sampan.foundation.wire.message import Identity

NAME = "v1.fruit.example.com"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
GROUP = "/apis/fruit.example.com/v1"
APPLES = f"{GROUP}/namespaces/default/apples"


def test_requests_reach_the_server_with_the_callers_identity(play: Any) -> None:
    async def story(cluster: Any) -> None:
        await cluster.serve_fruit()
        await cluster.register()
        assert await cluster.until("Passed") == "all checks passed"
        caller = Identity(
            "jane", ("system:masters", "b"), uid="u1", extra={"scopes.io/X y": ("1", "2")}
        )
        headers = {
            "authorization": "Bearer secret",
            "x-remote-user": "forged",
            "x-remote-group": "forged",
            "impersonate-user": "forged",
        }
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            answer = await cluster.send(
                method, f"{APPLES}/one/deeper/path", {"a": 1}, identity=caller, headers=headers
            )
            assert answer.status == 200
            told = json.loads(answer.body)
            assert told["path"] == f"{APPLES}/one/deeper/path"
            assert told["body"] == '{"a": 1}'
            seen = told["headers"]
            assert seen["x-remote-user"] == "jane"
            assert seen["x-remote-group"] == "system:masters, b"
            assert seen["x-remote-uid"] == "u1"
            assert seen["x-remote-extra-scopes.io%2fx%20y"] == "1, 2"
            assert not {"authorization", "impersonate-user"} & set(seen)
        assert cluster.fruit.subjects == {(("commonName", "front-proxy-client"),)}

    play(story)


def test_callers_are_authorized_here_first(play: Any) -> None:
    async def story(cluster: Any) -> None:
        await cluster.serve_fruit()
        await cluster.register()
        await cluster.until("Passed")
        answer = await cluster.send("GET", APPLES, identity=Identity("nobody"))
        assert answer.status == 403
        message = json.loads(answer.body)["message"]
        assert 'cannot list resource "apples" in API group "fruit.example.com"' in message

    play(story)


def test_watches_stream_and_end_with_the_client(play: Any) -> None:
    async def story(cluster: Any) -> None:
        await cluster.serve_fruit()
        await cluster.register()
        await cluster.until("Passed")
        response = await cluster.open("GET", APPLES, query=(("watch", "true"),))
        assert await anext(response.body) == b'{"type":"ADDED"}\n'
        await response.body.aclose()

    play(story)


def test_redirects_are_not_followed_nor_passed_on(play: Any) -> None:
    async def story(cluster: Any) -> None:
        await cluster.serve_fruit()
        await cluster.register()
        await cluster.until("Passed")
        answer = await cluster.send("GET", f"{APPLES}/one/redirect")
        assert answer.status == 502
        assert "location" not in answer.headers
        assert b"attempted to redirect" in answer.body

    play(story)


def test_what_is_missing_is_said_in_the_condition(play: Any) -> None:
    async def story(cluster: Any) -> None:
        await cluster.register()
        shown = 'service/fruit in "default"'
        assert await cluster.until("ServiceNotFound") == f"{shown} is not present"
        answer = await cluster.send("GET", APPLES)
        assert (answer.status, answer.body) == (503, b"service unavailable\n")
        services = "/api/v1/namespaces/default/services"
        await cluster.create(services, {"metadata": {"name": "fruit"}, "spec": {"ports": [PORT]}})
        message = await cluster.until("ServicePortError")
        assert message == f"{shown} is not listening on port 443"
        assert (await cluster.send("DELETE", f"{services}/fruit")).status == 200
        await cluster.until("ServiceNotFound")
        service = {"metadata": {"name": "fruit"}, "spec": {"ports": [{"port": 443}]}}
        await cluster.create(services, service)
        message = await cluster.until("EndpointsNotFound")
        assert message == f"cannot find endpointslices for {shown}"
        await cluster.point_at(cluster.port)
        await cluster.until("Passed")
        assert (await cluster.send("GET", APPLES)).status == 200

    play(story)


PORT = {"port": 80}


def test_a_server_that_fails_its_check_is_unavailable_until_it_passes(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(availability, "AGAIN_UNAVAILABLE_SECONDS", 0.05)

    async def story(cluster: Any) -> None:
        await cluster.serve_fruit()
        await cluster.register()
        await cluster.until("Passed")
        cluster.fruit.is_ill = True
        message = await cluster.until("FailedDiscoveryCheck")
        url = f"https://127.0.0.1:{cluster.port}{GROUP}"
        assert message == f"failing or missing response from {url}: bad status from {url}: 500"
        assert (await cluster.send("GET", APPLES)).status == 503
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        found = await _versions(cluster, accept)
        assert found[0]["freshness"] == "Stale"
        assert [it["resource"] for it in found[0]["resources"]] == ["apples"]
        cluster.fruit.is_ill = False
        await cluster.until("Passed")
        assert (await _versions(cluster, accept))[0]["freshness"] == "Current"

    play(story)


async def _versions(cluster: Any, accept: str) -> Any:
    document = await cluster.get("/apis", headers={"accept": accept})
    group = next(it for it in document["items"] if it["metadata"]["name"] == "fruit.example.com")
    return group["versions"]


def test_a_request_that_fails_is_a_reason_to_look_again(play: Any) -> None:
    async def story(cluster: Any) -> None:
        await cluster.serve_fruit()
        await cluster.register()
        await cluster.until("Passed")
        await cluster.end_fruit()
        answer = await cluster.send("GET", APPLES)
        assert answer.status == 503
        assert answer.body.startswith(b"error trying to reach service: ")
        assert "failing or missing response" in await cluster.until("FailedDiscoveryCheck")
        answer = await cluster.send("GET", APPLES)
        assert (answer.status, answer.body) == (503, b"service unavailable\n")

    play(story)


def test_no_endpoint_leads_to_this_machine_itself(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(cluster: Any) -> None:
        monkeypatch.setattr(servers, "is_proxyable", is_proxyable)
        await cluster.serve_fruit()
        await cluster.register()
        assert await cluster.until("FailedDiscoveryCheck") == "no endpoints available"
        assert cluster.fruit.subjects == set()

    play(story)


async def register_elsewhere(cluster: Any) -> None:
    """The server by the name of a host, that of this machine."""
    services = "/api/v1/namespaces/default/services"
    spec = {"type": "ExternalName", "externalName": "localhost"}
    await cluster.create(services, {"metadata": {"name": "fruit"}, "spec": spec})
    service = {"namespace": "default", "name": "fruit", "port": cluster.port}
    await cluster.register(service=service)


def test_a_server_outside_is_reached_by_its_external_name(play: Any) -> None:
    async def story(cluster: Any) -> None:
        await register_elsewhere(cluster)
        await cluster.until("Passed")
        assert (await cluster.send("GET", APPLES)).status == 200

    play(story)


def test_no_external_name_leads_to_this_machine_itself(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(cluster: Any) -> None:
        monkeypatch.setattr(servers, "is_proxyable", is_proxyable)
        await register_elsewhere(cluster)
        assert await cluster.until("FailedDiscoveryCheck") == "no endpoints available"
        assert cluster.fruit.subjects == set()

    play(story)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"caBundle": None}, "certificate verify failed"),
        ({"service": {"namespace": "default", "name": "other"}}, "Hostname mismatch"),
    ],
)
def test_certificates_must_be_right(play: Any, changes: Any, complaint: str) -> None:
    async def story(cluster: Any) -> None:
        await cluster.serve_fruit()
        other = {"metadata": {"name": "other"}, "spec": {"ports": [{"port": 443}]}}
        await cluster.create("/api/v1/namespaces/default/services", other)
        endpoints = {
            "metadata": {"name": "other-1", "labels": {"kubernetes.io/service-name": "other"}},
            "addressType": "FQDN",
            "ports": [{"name": "", "port": cluster.port}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        }
        slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        await cluster.create(slices, endpoints)
        await cluster.register(**changes)
        assert complaint in await cluster.until("FailedDiscoveryCheck")

    play(story)


def test_verification_may_be_skipped(play: Any) -> None:
    async def story(cluster: Any) -> None:
        await cluster.serve_fruit()
        await cluster.register(caBundle=None, insecureSkipTLSVerify=True)
        await cluster.until("Passed")

    play(story)


def test_discovery_and_openapi_tell_of_it(play: Any) -> None:
    async def story(cluster: Any) -> None:
        await cluster.serve_fruit()
        await cluster.register()
        await cluster.until("Passed")
        names = [it["name"] for it in (await cluster.get("/apis"))["groups"]]
        assert names.count("fruit.example.com") == 1
        group = await cluster.get("/apis/fruit.example.com")
        assert group["preferredVersion"]["groupVersion"] == "fruit.example.com/v1"
        listed = await cluster.get(GROUP)
        assert [it["name"] for it in listed["resources"]] == ["apples", "apples/peel"]
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        (version,) = await _versions(cluster, accept)
        (apples,) = version["resources"]
        assert version["freshness"] == "Current"
        assert (apples["resource"], apples["scope"]) == ("apples", "Namespaced")
        assert apples["shortNames"] == ["ap"]
        assert apples["subresources"][0]["subresource"] == "peel"
        await cluster.answers(f"/openapi/v3{GROUP}", 200)
        paths = (await cluster.get("/openapi/v3"))["paths"]
        address, _, named = paths[GROUP[1:]]["serverRelativeURL"].partition("?hash=")
        document = await cluster.get(address, query=(("hash", named),))
        assert document["paths"] == {GROUP: {}}
        assert GROUP in (await cluster.get("/"))["paths"]
        assert (await cluster.send("DELETE", f"{SERVICES}/{NAME}")).status == 200
        assert (await cluster.send("GET", "/apis/fruit.example.com")).status == 404
        assert (await cluster.send("GET", APPLES)).status == 404

    play(story)


def test_the_one_document_of_openapi_holds_what_is_its_own(play: Any) -> None:
    async def story(cluster: Any) -> None:
        await cluster.serve_fruit()
        await cluster.register()
        await cluster.until("Passed")
        metadata = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
        document = await cluster.openapi_of(GROUP)
        assert "/apis/other.example.com/v1" not in document["paths"]
        definitions = document["definitions"]
        assert definitions["Apple"]["properties"]["metadata"] == {
            "$ref": f"#/definitions/{metadata}_v2"
        }
        assert definitions[f"{metadata}_v2"]["description"] == "not the one of here"
        assert "properties" in definitions[metadata]
        assert "Pear" not in definitions
        gnostic = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
        answer = await cluster.send("GET", "/openapi/v2", headers={"accept": gnostic})
        assert answer.status == 200
        assert b"#/definitions/Apple" in answer.body

    play(story)


@pytest.mark.parametrize(
    "body",
    [b"[", b"[]", b'{"paths":{"/apis/a/v1":5}}', b'{"paths":' + b'{"a":' * 300 + b"1" + b"}" * 301],
)
def test_documents_that_are_no_openapi_are_not_taken_in(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        merged_swagger.part_of(body, "", "a/v1")


def test_the_front_proxy_is_made_known(play: Any) -> None:
    async def story(cluster: Any) -> None:
        path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
        data = (await cluster.get(path))["data"]
        assert "BEGIN CERTIFICATE" in data["requestheader-client-ca-file"]
        assert json.loads(data["requestheader-allowed-names"]) == ["front-proxy-client"]
        assert json.loads(data["requestheader-group-headers"]) == ["X-Remote-Group"]

    play(story)


def test_groups_of_custom_resources_get_services_and_lose_them(play: Any) -> None:
    async def story(cluster: Any) -> None:
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        version = {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object"}},
        }
        definition = {
            "metadata": {"name": "nuts.tree.example.com"},
            "spec": {
                "group": "tree.example.com",
                "scope": "Namespaced",
                "names": {"plural": "nuts", "kind": "Nut"},
                "versions": [version],
            },
        }
        await cluster.create(definitions, definition)
        path = f"{SERVICES}/v1.tree.example.com"
        await cluster.answers(path, 200)
        service = await cluster.get(path)
        assert service["metadata"]["labels"]["kube-aggregator.kubernetes.io/automanaged"] == "true"
        assert service["spec"]["groupPriorityMinimum"] == 1000
        assert service["status"]["conditions"][0]["reason"] == "Local"
        nuts = "/apis/tree.example.com/v1/namespaces/default/nuts"
        assert (await cluster.get(nuts))["items"] == []
        await cluster.send("DELETE", f"{definitions}/nuts.tree.example.com")
        await cluster.answers(path, 404)

    play(story)
