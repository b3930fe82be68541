"""The forms of answers: protobuf, YAML, metadata and tables, of objects, lists, errors, watches."""

import asyncio
import json

import yaml
from tests.control.api.watch_frames import Frames

from sampan.control.api.protobuf import decoding, encoding, envelope

MAPS = "/api/v1/namespaces/default/configmaps"
PROTOBUF = "application/vnd.kubernetes.protobuf"
METADATA = f"{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
IN_PROTOBUF = {"accept": PROTOBUF, "content-type": PROTOBUF}


def config_map(name):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v"}}


def read(answer):
    return decoding.decode(answer.raw, "", "")


async def fill(api, count=3):
    for number in range(count):
        await api.create(MAPS, config_map(f"m{number}"))


def test_an_object_is_the_same_in_each_encoding(play):
    async def story(api):
        body = encoding.encode(config_map("m"))
        made = await api.send("POST", MAPS, body, headers=IN_PROTOBUF)
        assert made.code == 201
        assert made.headers["Content-Type"] == PROTOBUF
        told = (await api.send("GET", f"{MAPS}/m")).json
        assert read(made) == told
        assert read(await api.send("GET", f"{MAPS}/m", headers=IN_PROTOBUF)) == told
        text = await api.send("GET", f"{MAPS}/m", headers={"accept": "application/yaml"})
        assert yaml.safe_load(text.raw) == told
        pretty = await api.send("GET", f"{MAPS}/m", pretty="true")
        assert pretty.raw.startswith(b'{\n  "')
        assert pretty.json == told

    play(story)


def test_a_list_is_the_same_in_each_encoding(play):
    async def story(api):
        for count in (0, 3):
            await fill(api, count)
            told = (await api.send("GET", MAPS)).json
            # Items of a list in protobuf do not repeat their kind.
            listed = read(await api.send("GET", MAPS, headers=IN_PROTOBUF))
            kinds = {"apiVersion": "v1", "kind": "ConfigMap"}
            listed["items"] = [kinds | item for item in listed.get("items", [])]
            assert listed == told
            text = await api.send("GET", MAPS, headers={"accept": "application/yaml"})
            assert yaml.safe_load(text.raw) == told
            pretty = await api.send("GET", MAPS, pretty="1")
            assert pretty.json == told
            assert pretty.raw == json.dumps(told, indent=2, ensure_ascii=False).encode()

    play(story)


def test_metadata_alone_in_protobuf(play):
    async def story(api):
        await fill(api, 2)
        one = read(await api.send("GET", f"{MAPS}/m0", headers={"accept": METADATA}))
        assert (one["apiVersion"], one["kind"]) == ("meta.k8s.io/v1", "PartialObjectMetadata")
        assert one["metadata"]["name"] == "m0"
        assert "data" not in one
        many = read(await api.send("GET", MAPS, headers={"accept": METADATA}))
        assert many["kind"] == "PartialObjectMetadataList"
        assert [item["metadata"]["name"] for item in many["items"]] == ["m0", "m1"]

    play(story)


def test_older_tables_name_their_version(play):
    accept = "application/json;as=Table;v=v1beta1;g=meta.k8s.io"

    async def story(api):
        await fill(api, 1)
        answer = await api.send("GET", MAPS, headers={"accept": accept})
        assert answer["apiVersion"] == "meta.k8s.io/v1beta1"
        assert answer["rows"][0]["object"]["apiVersion"] == "meta.k8s.io/v1beta1"

    play(story)


def test_errors_and_deletions_are_statuses_in_protobuf(play):
    async def story(api):
        missing = await api.send("GET", f"{MAPS}/m", headers=IN_PROTOBUF)
        assert missing.code == 404
        assert missing.headers["Content-Type"] == PROTOBUF
        told = read(missing)
        assert (told["kind"], told["reason"], told["code"]) == ("Status", "NotFound", 404)
        assert told["details"] == {"name": "m", "kind": "configmaps"}
        await fill(api, 1)
        options = encoding.encode(
            {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        )
        gone = await api.send("DELETE", f"{MAPS}/m0", options, headers=IN_PROTOBUF)
        assert gone.code == 200
        assert read(gone)["status"] == "Success"

    play(story)


def test_malformed_protobuf_is_refused(play):
    async def story(api):
        whole = encoding.encode(config_map("m"))
        deep = b""
        for _ in range(5000):
            deep = envelope.wrapped("v1", "List", b"\x12" + b"\x00")
        for body in (b"", b"k8s", whole[4:], whole[:-9], whole + b"\xff", deep[:-5] + b"\xff"):
            answer = await api.send("POST", MAPS, body, headers={"content-type": PROTOBUF})
            assert answer.code == 400, body

    play(story)


def test_what_only_other_encodings_have_is_refused(play):
    async def story(api):
        unknown = {"content-type": "application/cbor"}
        answer = await api.send("POST", MAPS, b"\xa0", headers=unknown)
        assert answer.code == 415
        table = f"{PROTOBUF};as=Table;v=v1;g=meta.k8s.io"
        assert (await api.send("GET", MAPS, headers={"accept": table})).code == 406

    play(story)


def parts(event):
    return event["type"], event["object"]


def test_a_watch_in_protobuf(play):
    async def story(api):
        await fill(api, 1)
        response = await api.open(
            "GET",
            MAPS,
            headers={"accept": f"{PROTOBUF};stream=watch"},
            watch="true",
            sendInitialEvents="true",
            resourceVersionMatch="NotOlderThan",
            allowWatchBookmarks="true",
        )
        assert response.headers["Content-Type"] == f"{PROTOBUF};stream=watch"
        frames = Frames(response.body)
        kind, first = parts(await frames.next())
        assert (kind, first["kind"], first["data"]) == ("ADDED", "ConfigMap", {"k": "v"})
        kind, bookmark = parts(await frames.next())
        assert kind == "BOOKMARK"
        assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        await api.send("DELETE", f"{MAPS}/m0")
        kind, gone = parts(await frames.next())
        assert (kind, gone["metadata"]["name"]) == ("DELETED", "m0")

    play(story)


def test_a_watch_of_metadata_in_protobuf(play):
    async def story(api):
        response = await api.open("GET", MAPS, headers={"accept": METADATA}, watch="true")
        await fill(api, 1)
        kind, partial = parts(await Frames(response.body).next())
        assert (kind, partial["kind"]) == ("ADDED", "PartialObjectMetadata")
        assert partial["metadata"]["name"] == "m0"

    play(story)


def test_an_old_watch_in_protobuf_ends_in_an_error(play, monkeypatch):
    monkeypatch.setattr("sampan.control.api.cache.resource_cache.WINDOW_EVENTS", 2)

    async def story(api):
        await fill(api, 6)
        response = await api.open(
            "GET", MAPS, headers={"accept": PROTOBUF}, watch="true", resourceVersion="1"
        )
        kind, told = parts(await Frames(response.body).next())
        assert (kind, told["kind"], told["code"]) == ("ERROR", "Status", 410)

    play(story)


class Socket:
    """The server's side of a WebSocket; its client only listens."""

    def __init__(self):
        self.messages = asyncio.Queue()
        self.closed = asyncio.Event()

    async def receive(self):
        await self.closed.wait()

    async def send(self, message):
        await self.messages.put(message)

    async def send_text(self, message):
        await self.messages.put(message.decode())

    async def close(self, code=1000, reason=""):
        self.closed.set()


def test_a_watch_over_a_websocket(play):
    async def story(api):
        socket = Socket()
        response = await api.open("GET", MAPS, watch="true", timeoutSeconds=5, websocket=True)
        relay = asyncio.create_task(response.websocket(socket))
        await fill(api, 2)
        told = [json.loads(await socket.messages.get()) for _ in range(2)]
        assert [event["object"]["metadata"]["name"] for event in told] == ["m0", "m1"]
        await relay
        assert socket.closed.is_set()
        binary = Socket()
        response = await api.open(
            "GET", MAPS, watch="true", headers={"accept": PROTOBUF}, websocket=True
        )
        relay = asyncio.create_task(response.websocket(binary))
        event = decoding.decode_message(
            "k8s.io.apimachinery.pkg.apis.meta.v1.WatchEvent", await binary.messages.get()
        )
        assert event["type"] == "ADDED"
        binary.closed.set()
        await relay

    play(story)


def test_a_token_too_old_can_go_on_with_what_is_there(play, monkeypatch):
    monkeypatch.setattr("sampan.control.api.cache.resource_cache.WINDOW_EVENTS", 2)

    async def story(api):
        await fill(api, 6)
        first = await api.send("GET", MAPS, limit=2)
        token = first["metadata"]["continue"]
        for number in range(6, 10):
            await api.create(MAPS, config_map(f"m{number}"))
        expired = await api.send("GET", MAPS, **{"limit": 2, "continue": token})
        assert (expired.code, expired["reason"]) == (410, "Expired")
        rest = expired["metadata"]["continue"]
        names = []
        while rest:
            page = await api.send("GET", MAPS, **{"limit": 3, "continue": rest})
            names += [item["metadata"]["name"] for item in page["items"]]
            rest = page["metadata"].get("continue")
        assert names == [f"m{number}" for number in range(2, 10)]

    play(story)


def test_a_watch_tells_where_to_go_on_before_its_time_is_over(play):
    async def story(api):
        await fill(api, 1)
        version = (await api.send("GET", MAPS))["metadata"]["resourceVersion"]
        response = await api.open(
            "GET",
            MAPS,
            watch="true",
            resourceVersion=version,
            timeoutSeconds=1,
            allowWatchBookmarks="true",
        )
        pieces = [json.loads(piece) async for piece in response.body]
        assert [piece["type"] for piece in pieces] == ["BOOKMARK"]
        assert pieces[0]["object"]["metadata"]["resourceVersion"] == version

    play(story)


def test_a_scale_and_a_review_in_protobuf(play):
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": "hello:1"}]},
            },
        },
    }
    path = "/apis/apps/v1/namespaces/default/deployments"

    async def story(api):
        await api.create(path, deployment)
        scale = read(await api.send("GET", f"{path}/web/scale", headers=IN_PROTOBUF))
        assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 2})
        scale["spec"]["replicas"] = 0
        body = encoding.encode(scale)
        changed = await api.send("PUT", f"{path}/web/scale", body, headers=IN_PROTOBUF)
        assert read(changed)["spec"] == {}
        assert (await api.send("GET", f"{path}/web"))["spec"]["replicas"] == 0
        group = "authorization.k8s.io/v1"
        review = {
            "apiVersion": group,
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}},
        }
        asked = await api.send(
            "POST",
            f"/apis/{group}/selfsubjectaccessreviews",
            encoding.encode(review),
            headers=IN_PROTOBUF,
        )
        assert read(asked)["status"]["allowed"] is True

    play(story)
