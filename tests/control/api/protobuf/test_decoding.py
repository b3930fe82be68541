"""Bodies in protobuf become the trees that JSON gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.control.api.protobuf.decoding import decode
from sampan.control.api.protobuf.envelope import CONTENT_TYPE, MAGIC
from sampan.control.api.protobuf.messages import fields_of, message_name
from sampan.foundation.wire.protobuf import InvalidProtobuf
from sampan.kubernetes.kinds.all import ALL


def varint(value):
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        if not value:
            return bytes([*out, low])
        out.append(low | 0x80)


def text(number, value):
    data = value if isinstance(value, bytes) else value.encode()
    return varint(number << 3 | 2) + varint(len(data)) + data


def number(field, value):
    return varint(field << 3) + varint(value)


def wrapped(version, kind, raw):
    return MAGIC + text(1, text(1, version) + text(2, kind)) + text(2, raw)


def test_a_config_map():
    entry = text(1, "key") + text(2, "value")
    labels = text(11, text(1, "app") + text(2, "web"))
    metadata = text(1, "x") + text(2, "") + labels + text(8, number(1, 1_767_225_600))
    body = wrapped("v1", "ConfigMap", text(1, metadata) + text(2, entry) + number(4, 0))
    assert decode(body, "", "") == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "x",
            "labels": {"app": "web"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "data": {"key": "value"},
        "immutable": False,
    }


def test_numbers_that_mean_something_when_zero_stay():
    spec = number(1, 0) + number(5, 0) + number(6, 0)
    tree = decode(wrapped("apps/v1", "Deployment", text(2, spec)), "", "")
    assert tree["spec"] == {"replicas": 0, "revisionHistoryLimit": 0}


def test_fields_that_json_has_one_level_up():
    empty_dir = text(2, b"")
    volume = text(1, "scratch") + text(2, empty_dir)
    probe = text(1, text(2, text(2, number(1, 0) + number(2, 8080)))) + number(2, 2**64 - 1)
    container = text(1, "main") + text(10, probe)
    pod = text(2, text(1, volume) + text(2, container))
    tree = decode(wrapped("v1", "Pod", pod), "", "")
    assert tree["spec"]["volumes"] == [{"name": "scratch", "emptyDir": {}}]
    assert tree["spec"]["containers"][0]["livenessProbe"] == {
        "httpGet": {"port": 8080},
        "initialDelaySeconds": -1,
    }


def test_what_the_body_leaves_out_comes_from_the_path():
    tree = decode(MAGIC + text(2, text(1, text(1, "x"))), "v1", "Secret")
    assert tree == {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}


def test_secrets_keep_their_bytes():
    entry = text(1, "k") + text(2, b"\x00\xff")
    tree = decode(wrapped("v1", "Secret", text(2, entry)), "", "")
    assert tree["data"] == {"k": "AP8="}


def test_every_kind_has_its_message():
    for kind in ALL:
        name = message_name(kind.resource.group_version, kind.resource.kind)
        assert {field.name for field in fields_of(name)} & {"metadata", "spec"}


@given(st.binary(max_size=200))
def test_rubbish_is_refused_or_read(data):
    try:
        decode(MAGIC + text(2, data), "v1", "Pod")
    except InvalidProtobuf:
        return


def test_nesting_is_bounded():
    raw = b""
    for _ in range(3000):
        raw = text(11, text(6, raw))
    with pytest.raises(InvalidProtobuf):
        decode(wrapped("v1", "Nothing", raw), "", "")


def test_a_client_may_write_in_protobuf(play):
    async def story(api):
        body = wrapped("v1", "ConfigMap", text(1, text(1, "x")))
        path = "/api/v1/namespaces/default/configmaps"
        answer = await api.send("POST", path, body, headers={"content-type": CONTENT_TYPE})
        assert answer.code == 201
        assert answer["metadata"]["name"] == "x"

    play(story)
