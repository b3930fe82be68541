"""What an Accept header asks for."""

import pytest

from sampan.control.api.forms.negotiation import Wanted, encoding_for_errors, wanted, wanted_stream
from sampan.control.api.refusal import Refused

PROTOBUF = "application/vnd.kubernetes.protobuf"
TABLE = "as=Table;v=v1;g=meta.k8s.io"
METADATA = "as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Wanted()),
        ("*/*", Wanted()),
        ("application/*", Wanted()),
        ("text/html, application/json", Wanted()),
        (PROTOBUF, Wanted("whole", "protobuf")),
        (f"application/json;q=0.5, {PROTOBUF};q=0.9", Wanted("whole", "protobuf")),
        (f"{PROTOBUF};q=0, */*", Wanted()),
        (f"application/json;{TABLE},application/json", Wanted("table")),
        (f"{PROTOBUF};{TABLE},application/json;{TABLE}", Wanted("table")),
        (f"{PROTOBUF};{METADATA}", Wanted("metadata", "protobuf")),
        (f"application/yaml;{TABLE}", Wanted("table", "yaml")),
        (
            "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
            Wanted("table", "json", "meta.k8s.io/v1beta1"),
        ),
        ("application/json;as=Table;v=v2;g=meta.k8s.io, application/yaml", Wanted("whole", "yaml")),
        ("application/json;as=Nothing;v=v1;g=meta.k8s.io,*/*", Wanted()),
        ("APPLICATION/YAML ; charset=utf-8", Wanted("whole", "yaml")),
    ],
)
def test_the_best_form_that_can_be_served(accept, form):
    assert wanted(accept) == form


@pytest.mark.parametrize(
    "accept",
    [
        "application/cbor",
        "text/html",
        f"{PROTOBUF};{TABLE}",
        "application/json;q=0",
        "application/json;as=Table;v=v1;g=other",
    ],
)
def test_what_can_not_be_served(accept):
    with pytest.raises(Refused) as refusal:
        wanted(accept)
    assert refusal.value.status["code"] == 406


def test_an_object_without_a_message_is_never_in_protobuf():
    assert wanted(f"{PROTOBUF},application/json", protobuf=False) == Wanted()
    with pytest.raises(Refused) as refusal:
        wanted(PROTOBUF, protobuf=False)
    assert refusal.value.status["message"] == (
        "only the following media types are accepted: application/json, application/yaml"
    )


def test_a_watch_has_no_yaml():
    assert wanted_stream("application/json;stream=watch") == Wanted()
    assert wanted_stream(f"{PROTOBUF};stream=watch").encoding == "protobuf"
    with pytest.raises(Refused) as refusal:
        wanted_stream("application/yaml")
    assert refusal.value.status["message"] == (
        "only the following media types are accepted: application/json;stream=watch, "
        "application/vnd.kubernetes.protobuf;stream=watch"
    )


def test_errors_come_in_the_encoding_that_is_understood():
    assert encoding_for_errors("") == "json"
    assert encoding_for_errors(f"{PROTOBUF};{TABLE}") == "protobuf"
    assert encoding_for_errors("application/cbor, text/html") == "json"
    assert encoding_for_errors("application/yaml") == "yaml"
