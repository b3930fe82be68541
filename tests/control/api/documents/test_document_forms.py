"""The forms of discovery and OpenAPI."""

import pytest

from sampan.control.api.documents.document_forms import document_form
from sampan.control.api.protobuf import decoding
from sampan.control.api.refusal import Refused
from sampan.foundation.wire import protobuf as wire

PROTOBUF = "application/vnd.kubernetes.protobuf"
AGGREGATED = "g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
V2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
V3 = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"


def fields(data):
    """A message's fields by number, each a list."""
    found = {}
    for number, value in wire.read_fields(data):
        found.setdefault(number, []).append(value)
    return found


def named(entries):
    """Messages of a name and a value, as a dict."""
    pairs = [fields(entry) for entry in entries]
    return {pair[1][0].decode(): pair[2][0] for pair in pairs}


def test_openapi_2_in_gnostics_form(play):
    async def story(api):
        answer = await api.send("GET", "/openapi/v2", headers={"accept": V2})
        # Go does not read a media type with an @ in it.
        assert answer.headers["Content-Type"] == V2.replace("@", ".")
        document = fields(answer.raw)
        assert document[1][0] == b"2.0"
        (schemas,) = document[9]
        schema = fields(named(fields(schemas)[1])["io.k8s.api.core.v1.ServiceSpec"])
        assert fields(schema[22][0])[1][0] == b"object"
        ports = fields(named(fields(schema[25][0])[1])["ports"])
        assert fields(fields(ports[23][0])[1][0])[1][0].endswith(b"ServicePort")
        assert fields(named(ports[31])["x-kubernetes-patch-merge-key"])[2][0] == b'"port"'
        path = fields(named(fields(document[8][0])[2])["/api/v1/namespaces/{namespace}/pods"])
        assert 4 in path

    play(story, in_real_time=True)


def test_openapi_3_in_gnostics_form(play):
    async def story(api):
        answer = await api.send("GET", "/openapi/v3/api/v1", headers={"accept": V3})
        document = fields(answer.raw)
        assert document[1][0].startswith(b"3.")
        schemas = named(fields(fields(document[5][0])[1][0])[1])
        schema = fields(fields(schemas["io.k8s.api.core.v1.Pod"])[1][0])
        assert bytes(schema[25][0]) == b"object"

    play(story, in_real_time=True)


def test_discovery_in_protobuf(play):
    async def story(api):
        whole = await api.send("GET", "/apis", headers={"accept": f"{PROTOBUF};{AGGREGATED}"})
        assert whole.headers["Content-Type"] == f"{PROTOBUF};{AGGREGATED}"
        tree = decoding.decode(whole.raw, "", "")
        assert tree["kind"] == "APIGroupDiscoveryList"
        told = await api.send("GET", "/apis", headers={"accept": f"application/json;{AGGREGATED}"})
        assert [item["metadata"]["name"] for item in tree["items"]] == [
            item["metadata"]["name"] for item in told["items"]
        ]
        core = await api.send("GET", "/api/v1", headers={"accept": PROTOBUF})
        pods = next(
            it for it in decoding.decode(core.raw, "", "")["resources"] if it["name"] == "pods"
        )
        assert "watch" in pods["verbs"]

    play(story)


def test_the_first_form_that_is_served():
    beta = AGGREGATED.replace("v2", "v2beta1")
    accept = f"application/json;{beta},application/json;{AGGREGATED},application/json"
    assert document_form("/apis", accept).is_aggregated
    assert not document_form("/apis/apps/v1", accept).is_aggregated
    assert document_form("/openapi/v2", "application/json, */*").gnostic == ""
    assert document_form("/version", "application/cbor").encoding == "json"
    for path in ("/apis", "/openapi/v2"):
        with pytest.raises(Refused):
            document_form(path, "application/cbor")
