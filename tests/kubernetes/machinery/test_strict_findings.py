"""The findings of a strict decoder, in the order of the body."""

from sampan.kubernetes.machinery.strict_findings import in_order

BODY = b"""{
  "spec": {
    "unknown1": 1, "unknownDupe": 1, "unknownDupe": 2, "paused": true, "paused": false,
    "containers": [{"unknownNested": {"a": 1, "a": 2}, "pull": "x", "pull": "y", "pull": "z"}]
  }
}"""


def test_findings_stand_in_the_order_of_the_body():
    unknown = ["spec.unknown1", "spec.unknownDupe", "spec.containers[0].unknownNested"]
    assert in_order(BODY, unknown) == [
        'unknown field "spec.unknown1"',
        'unknown field "spec.unknownDupe"',
        'duplicate field "spec.paused"',
        'unknown field "spec.containers[0].unknownNested"',
        'duplicate field "spec.containers[0].pull"',
    ]


def test_nothing_is_found_in_what_is_right():
    assert in_order(b'{"a": [1, {"b": [[]]}], "c": "a"}', []) == []
