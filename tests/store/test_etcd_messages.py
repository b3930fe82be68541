"""The protobuf encoding of etcd's messages: known bytes, any bytes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.store import etcd_messages as messages


def test_requests_are_what_protobuf_makes_of_them() -> None:
    assert messages.range_request(b"a", b"b", limit=300, revision=5, keys_only=True) == (
        b"\x0a\x01a\x12\x01b\x18\xac\x02\x20\x05\x40\x01"
    )
    assert messages.compaction_request(1 << 35) == b"\x08\x80\x80\x80\x80\x80\x01"
    assert messages.put_request(b"k", b"v", None) == b"\x12\x08\x12\x06\x0a\x01k\x12\x01v"
    assert messages.delete_request(b"k", 7) == (
        b"\x0a\x07\x10\x02\x1a\x01k\x30\x07"  # compare: MOD of k with 7
        b"\x12\x05\x1a\x03\x0a\x01k"  # then: delete k
        b"\x1a\x05\x0a\x03\x0a\x01k"  # else: read k
    )


def test_fields_that_are_not_known_are_passed_over() -> None:
    header = b"\x0a\x04\x08\x01\x18\x09"
    unknown = b"\x78\x01" + b"\x7d\x01\x02\x03\x04" + b"\x79" + bytes(8) + b"\x7a\x02xy"
    answer = messages.range_answer(header + unknown + b"\x12\x06\x0a\x01k\x2a\x01v" + b"\x18\x01")
    assert answer == messages.RangeAnswer(9, (messages.KeyValue(b"k", b"v"),), more=True)


@pytest.mark.parametrize(
    "read", [messages.range_answer, messages.transaction_answer, messages.watch_answer]
)
@given(data=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(read, data: bytes) -> None:
    with contextlib.suppress(messages.InvalidMessage):
        read(data)
