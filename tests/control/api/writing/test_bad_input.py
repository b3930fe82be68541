"""What is refused, with which words, and that nothing of it is kept."""

import asyncio

import pytest

from sampan.foundation.wire.message import BodyTooLarge, Request

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
YAML = {"content-type": "application/yaml"}


def config_map(**extra):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}} | extra


async def stored(api):
    return (await api.send("GET", MAPS))["items"] + (await api.send("GET", PODS))["items"]


def test_unknown_fields(play):
    async def story(api):
        body = config_map(nothing=1)
        strict = await api.send("POST", MAPS, body, fieldValidation="Strict")
        assert strict.code == 400
        assert 'strict decoding error: unknown field "nothing"' in strict["message"]
        assert await stored(api) == []
        warned = await api.send("POST", MAPS, body)
        assert warned.code == 201
        assert "nothing" not in warned.json
        assert warned.headers["Warning"] == '299 - "unknown field \\"nothing\\""'
        ignored = await api.send("PUT", f"{MAPS}/x", body, fieldValidation="Ignore")
        assert "Warning" not in ignored.headers

    play(story)


def test_duplicate_fields_are_told(play):
    async def story(api):
        body = b'{"metadata":{"name":"x"},"data":{"a":"1","a":"2"}}'
        strict = await api.send("POST", MAPS, body, fieldValidation="Strict")
        assert strict.code == 400
        assert 'duplicate field "data.a"' in strict["message"]

    play(story)


def test_a_wrong_type_is_a_bad_request(play, pod, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        body = pod()
        body["spec"]["containers"][0]["image"] = 5
        answer = await api.send("POST", PODS, body)
        assert answer.code == 400
        assert "cannot unmarshal" in answer["message"]
        assert await stored(api) == []

    play(story)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"metadata": {}}, "metadata.name"),
        ({"metadata": {"name": "Not_A_Name"}}, "metadata.name"),
        ({"metadata": {"name": "../x"}}, "metadata.name"),
        ({"metadata": {"name": "a\x00b"}}, "metadata.name"),
        ({"spec": {"containers": []}}, "spec.containers"),
    ],
)
def test_broken_rules_are_told_with_their_fields(play, pod, account, change, field):
    async def story(api):
        await api.create(ACCOUNTS, account)
        answer = await api.send("POST", PODS, pod() | change)
        assert answer.code == 422, answer.json
        assert answer["reason"] == "Invalid"
        assert field in [it["field"] for it in answer["details"]["causes"]]
        assert await stored(api) == []

    play(story)


def test_a_bad_quantity_is_invalid(play, pod, account):
    async def story(api):
        await api.create(ACCOUNTS, account)
        body = pod()
        body["spec"]["containers"][0]["resources"] = {"limits": {"memory": "much"}}
        answer = await api.send("POST", PODS, body)
        assert answer.code == 422
        assert "quantities must match the regular expression" in answer["message"]

    play(story)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{", {}),
        (b"[1,2]", {}),
        (b'"text"', {}),
        (b"\xff\xfe", {}),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, {}),
        (b"[" * 100_000, {}),
        (b"a: [", YAML),
        (b"- 1", YAML),
        (b"[" * 10_000, YAML),
        (b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]", YAML),
        (b"!!python/object/apply:os.system ['true']", YAML),
        (b"k8s\x00\x0a", {"content-type": "application/vnd.kubernetes.protobuf"}),
        (b"k8s\x00" + b"\xff" * 40, {"content-type": "application/vnd.kubernetes.protobuf"}),
        (b"{}", {"content-type": "application/vnd.kubernetes.protobuf"}),
    ],
)
def test_bodies_that_are_no_objects(play, body, headers):
    async def story(api):
        answer = await api.send("POST", MAPS, body, headers=headers)
        assert answer.code == 400
        assert answer["kind"] == "Status"
        assert "Traceback" not in answer["message"]
        assert len(answer.raw) < 2000
        assert await stored(api) == []

    play(story, in_real_time=True)


def test_other_media_types_are_refused(play):
    async def story(api):
        answer = await api.send("POST", MAPS, b"<x/>", headers={"content-type": "text/xml"})
        assert answer.code == 415

    play(story)


def test_a_body_must_be_what_its_path_says(play):
    async def story(api):
        for body in (
            config_map(kind="Secret"),
            config_map(apiVersion="v2"),
            config_map(metadata={"name": "x", "namespace": "kube-system"}),
        ):
            assert (await api.send("POST", MAPS, body)).code == 400
        await api.create(MAPS, config_map())
        other = config_map(metadata={"name": "y"})
        assert (await api.send("PUT", f"{MAPS}/x", other)).code == 400

    play(story)


def test_patches_that_grow_without_bound_are_refused(play):
    async def story(api):
        await api.create(MAPS, config_map(data={"a": "x" * 1000}))
        operations = [
            {"op": "copy", "from": "/data", "path": f"/data/k{number}"} for number in range(30)
        ]
        answer = await api.send(
            "PATCH",
            f"{MAPS}/x",
            operations,
            headers={"content-type": "application/json-patch+json"},
        )
        assert answer.code == 413

    play(story)


def test_large_bodies_are_refused_only_after_authorization(play):
    async def story(api):
        async def too_large():
            raise BodyTooLarge(3)

        request = Request(method="POST", path=MAPS, body_source=too_large)
        unknown = await api.server.handle(request)
        assert unknown.status == 401
        request.peer_subject = (("commonName", "someone"),)
        assert (await api.server.handle(request)).status == 403
        request.peer_subject = (("commonName", "a"), ("organizationName", "system:masters"))
        assert (await api.server.handle(request)).status == 413

    play(story)


def test_an_object_does_not_grow_beyond_bounds(play):
    maps = "/api/v1/namespaces/default/configmaps"

    async def story(api):
        await api.create(maps, {"metadata": {"name": "a"}, "data": {"k": "x" * 1_000_000}})
        answer = await api.send(
            "POST", maps, {"metadata": {"name": "b", "labels": dict.fromkeys(_names(60_000), "x")}}
        )
        assert answer.code == 413
        grown = {"metadata": {"labels": dict.fromkeys(_names(30_000), "x")}}
        merge = {"content-type": "application/merge-patch+json"}
        assert (await api.send("PATCH", f"{maps}/a", grown, headers=merge)).code == 413
        assert (await api.send("GET", f"{maps}/b")).code == 404

    play(story)


def test_a_status_may_grow_further_so_that_a_deletion_can_end(play, pod, account):
    async def story(api):
        await api.create("/api/v1/namespaces/default/serviceaccounts", account)
        path = "/api/v1/namespaces/default/pods"
        body = pod()
        body["spec"]["nodeName"] = "n1"
        body["spec"]["containers"][0]["args"] = ["x" * 1_000_000]
        await api.create(path, body)
        merge = {"content-type": "application/merge-patch+json"}
        told = {"status": {"message": "x" * 1_000_000}}
        assert (await api.send("PATCH", f"{path}/web/status", told, headers=merge)).code == 200
        assert (await api.send("DELETE", f"{path}/web", gracePeriodSeconds=5)).code == 200

    play(story)


def _names(count):
    return [f"example.com/name-{number}" for number in range(count)]


def test_a_large_yaml_body_is_read_beside_the_loop(play):
    async def story(api):
        lines = "".join(f"  key-{number}: '{number}'\n" for number in range(5000))
        body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n{lines}".encode()
        slow = asyncio.create_task(api.send("POST", MAPS, body, headers=YAML))
        await asyncio.sleep(0)
        assert (await api.send("GET", MAPS))["items"] == []
        assert not slow.done()
        made = await slow
        assert made.code == 201
        assert len(made["data"]) == 5000

    play(story, in_real_time=True)
