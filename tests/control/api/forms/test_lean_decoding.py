"""What is left undecoded is written as if it had been decoded."""

from typing import Any

import msgspec

from sampan.control.api.forms import lean_decoding
from sampan.control.api.protobuf.encoding import Undecoded, encode


def pod(name: str, image: str) -> dict[str, Any]:
    container = {
        "name": "service",
        "image": image,
        "env": [{"name": f"SETTING_{index}", "value": f"value-{index}"} for index in range(40)],
        "resources": {"limits": {"cpu": "500m"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "a"}},
        "spec": {
            "nodeName": "node-1",
            "containers": [container],
            "terminationGracePeriodSeconds": 30,
            "schedulerName": "a" * 200,
        },
        "status": {"phase": "Running"},
    }


def test_siblings_of_a_template_are_written_like_objects_that_were_decoded_whole() -> None:
    for tree in (pod("one", "a:1"), pod("two", "a:1"), pod("three", "a:2")):
        lean = lean_decoding.for_protobuf(msgspec.json.encode(tree))
        assert isinstance(lean["spec"]["containers"], Undecoded)
        assert encode(lean) == encode(tree)


def test_members_that_are_longer_than_what_is_remembered_are_written_too() -> None:
    tree = pod("one", "a:1")
    tree["spec"]["containers"] *= 4
    assert encode(lean_decoding.for_protobuf(msgspec.json.encode(tree))) == encode(tree)


def test_a_spec_that_is_no_object_is_left_as_it_is() -> None:
    assert lean_decoding.for_protobuf(b'{"metadata":{},"spec":null}') == {
        "metadata": {},
        "spec": None,
    }
