"""Custom resources have no protobuf: other forms are given where the client takes them."""

from tests.control.api.custom_resources.conftest import (
    DEFINITIONS,
    WIDGETS,
    conditions,
    definition,
    until,
    widget,
)

from sampan.control.api.protobuf import envelope

PROTOBUF = "application/vnd.kubernetes.protobuf"
METADATA = f"{PROTOBUF};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


def test_objects_are_in_json_and_their_metadata_in_either(play):
    async def story(api):
        await api.create(DEFINITIONS, definition())
        path = f"{DEFINITIONS}/widgets.example.com"
        await until(api, path, lambda it: conditions(it).get("Established", ("",))[0] == "True")
        await api.create(WIDGETS, widget())
        only = await api.send("GET", WIDGETS, headers={"accept": PROTOBUF})
        assert only.code == 406
        either = await api.send("GET", WIDGETS, headers={"accept": f"{PROTOBUF},application/json"})
        assert either.headers["Content-Type"] == "application/json"
        assert either["items"][0]["kind"] == "Widget"
        metadata = await api.send("GET", WIDGETS, headers={"accept": METADATA})
        assert metadata.headers["Content-Type"] == PROTOBUF
        body = envelope.wrapped("example.com/v1", "Widget", b"")
        refused = await api.send("POST", WIDGETS, body, headers={"content-type": PROTOBUF})
        assert refused.code == 415
        watch = {"accept": f"{PROTOBUF};stream=watch"}
        assert (await api.send("GET", WIDGETS, headers=watch, watch="true")).code == 406

    play(story)
