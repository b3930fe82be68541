"""What is written in protobuf is read back the same, for every message and every built-in kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.control.api.protobuf import decoding, encoding, envelope
from sampan.control.api.protobuf.messages import (
    UnknownMessage,
    all_messages,
    fields_of,
    message_name,
)
from sampan.control.api.protobuf.well_known_reading import ALTERNATIVES, LISTS
from sampan.foundation.wire import protobuf as wire

DEEPEST = 3
VALUES = {
    "string": "text \u00fc",
    "bytes": "AP8=",
    "bool": True,
    "double": 1.5,
    "int32": -7,
    "int64": -(2**40),
    "uint32": 2**31,
    "uint64": 2**63,
}
WELL_KNOWN = {
    "Time": "2026-01-02T03:04:05Z",
    "MicroTime": "2026-01-02T03:04:05.000006Z",
    "FieldsV1": {"f:metadata": {}},
    "Quantity": "100m",
    "IntOrString": "80%",
    "RawExtension": {"apiVersion": "v1", "kind": "Any", "deep": [1, {"x": None}]},
    "JSON": [1, "two", {"three": None}],
}
ZEROS = ("", 0, {}, [], "0")
# Messages that stand for one JSON value or the other, but never for all their fields.
WRAPPERS = {"RawExtension", "Unknown", "FieldsV1", "JSON", "Quantity", "IntOrString"}


def filled(name, depth=0):
    """A JSON value of a message with every field set, as deep as it goes without repeating."""
    short = name.rpartition(".")[2]
    if short in WELL_KNOWN:
        return WELL_KNOWN[short]
    if short in LISTS:
        return ["one", "two"]
    if short in ALTERNATIVES:
        return {"type": "string"}
    tree = {}
    for field in fields_of(name):
        if field.type not in VALUES and depth >= DEEPEST:
            continue
        value = VALUES[field.type] if field.type in VALUES else filled(field.type, depth + 1)
        if field.label == "*":
            tree[field.name] = [value]
        elif field.label == "%":
            tree[field.name] = {"b": value, "a": value}
        elif field.label == "!":
            tree |= value
        else:
            tree[field.name] = value
    return tree


def without_zeros(value):
    """Non-pointers that nothing was put into may be read as zeros."""
    if isinstance(value, dict):
        members = {name: without_zeros(member) for name, member in value.items()}
        return {name: member for name, member in members.items() if member not in ZEROS}
    return [without_zeros(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", all_messages())
def test_a_message_with_every_field_set_is_read_back(name):
    tree = filled(name)
    data = encoding.message_writer(name)(tree)
    assert without_zeros(decoding.decode_message(name, data)) == without_zeros(tree)
    assert encoding.message_writer(name)(tree) == data


@pytest.mark.parametrize("name", all_messages())
def test_what_go_writes_of_nothing_is_written_again(name):
    if name.rpartition(".")[2] in {"Time", "MicroTime"} | WRAPPERS:
        return
    empty = {}
    if name.rpartition(".")[2] in LISTS:
        empty = []
    if name.rpartition(".")[2] in ALTERNATIVES:
        return
    data = encoding.message_writer(name)(empty)
    assert encoding.message_writer(name)(decoding.decode_message(name, data)) == data


def test_the_bytes_are_those_of_go():
    tree = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "labels": {"z": "1", "b": "2"}},
        "data": {"k": "v"},
    }
    metadata = (
        b"\x0a\x01a"  # name
        b"\x12\x00\x1a\x00\x22\x00\x2a\x00\x32\x00"  # the texts up to resourceVersion
        b"\x38\x00\x42\x00"  # generation, creationTimestamp
        b"\x5a\x06\x0a\x01b\x12\x012\x5a\x06\x0a\x01z\x12\x011"  # labels
    )
    message = b"\x0a" + bytes([len(metadata)]) + metadata + b"\x12\x06\x0a\x01k\x12\x01v"
    kind = b"\x0a\x0f\x0a\x02v1\x12\x09ConfigMap"
    body = b"k8s\x00" + kind + b"\x12" + bytes([len(message)]) + message
    assert encoding.encode(tree) == body + b"\x1a\x00\x22\x00"


def test_numbers_of_any_size():
    for number in (0, 1, 127, 128, 4095, 4096, 2**31, 2**63 - 1, -1, -(2**63)):
        name = "k8s.io.api.apps.v1.DeploymentStatus"
        written = encoding.message_writer(name)({"observedGeneration": number})
        read = decoding.decode_message(name, written)
        assert read.get("observedGeneration", 0) == number


def test_alternatives_of_schemas():
    name = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
    tree = {
        "items": {"type": "string"},
        "additionalProperties": False,
        "additionalItems": True,
        "dependencies": {"a": ["b"], "c": {"type": "object"}},
        "properties": {"x": {"items": [{"type": "string"}, {"type": "integer"}], "default": 0}},
        "maximum": 0.0,
        "x-kubernetes-preserve-unknown-fields": False,
    }
    assert decoding.decode_message(name, encoding.message_writer(name)(tree)) == tree


def test_an_embedded_object_may_be_protobuf():
    inner = encoding.encode({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}})
    items = wire.sized(b"\x12", wire.sized(b"\x0a", inner))
    tree = decoding.decode(envelope.wrapped("v1", "List", b"\x0a\x00" + items), "", "")
    assert tree["items"][0]["kind"] == "Secret"
    assert tree["items"][0]["metadata"] == {"name": "x"}


def test_a_custom_resource_has_no_message():
    for version, kind in (("example.com/v1", "Pod"), ("apps.example.com/v1", "Deployment")):
        with pytest.raises(UnknownMessage):
            message_name(version, kind)


@pytest.mark.parametrize("cut", [1, 5, 9, 14])
def test_a_body_that_is_cut_off_is_refused(cut):
    tree = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}
    with pytest.raises(wire.InvalidProtobuf):
        decoding.decode(encoding.encode(tree)[: -cut - 4], "v1", "Pod")


def test_a_length_beyond_the_body_is_refused():
    with pytest.raises(wire.InvalidProtobuf):
        decoding.decode(b"k8s\x00\x12\xff\xff\xff\xff\x7f", "v1", "Pod")


def test_schemas_within_schemas_are_bounded():
    name = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
    not_, items, schema = b"\xe2\x01", b"\xc2\x01", b"\x0a"
    message = b""
    for _ in range(40):
        message = wire.sized(not_, message)
    assert decoding.decode_message(name, message)
    for _ in range(3000):
        message = wire.sized(items, wire.sized(schema, message))
    with pytest.raises(wire.InvalidProtobuf):
        decoding.decode_message(name, message)


@pytest.mark.parametrize("embedded", [b"{", b"[" * 400 + b"]" * 400, b"[" * 100_000])
def test_embedded_json_is_held_to_what_bodies_are(embedded):
    revision = wire.sized(b"\x12", wire.sized(b"\x0a", embedded))
    with pytest.raises(wire.InvalidProtobuf):
        decoding.decode(envelope.wrapped("apps/v1", "ControllerRevision", revision), "", "")


POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "labels": {"a": "b"}, "creationTimestamp": "2026-01-02T03:04:05Z"},
    "spec": {
        "containers": [
            {
                "name": "main",
                "ports": [{"containerPort": 80}],
                "resources": {"limits": {"cpu": "1"}},
                "livenessProbe": {"httpGet": {"path": "/", "port": "http"}},
            }
        ],
        "volumes": [{"name": "v", "emptyDir": {}}],
    },
}


@given(st.integers(min_value=0), st.integers(1, 255), st.integers(0, 3))
def test_a_damaged_body_is_refused_or_read(position, change, more):
    body = bytearray(encoding.encode(POD))
    for step in range(more + 1):
        body[(position + 7 * step) % len(body)] ^= change
    try:
        tree = decoding.decode(bytes(body), "v1", "Pod")
    except wire.InvalidProtobuf:
        return
    assert isinstance(tree, dict)
