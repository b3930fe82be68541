"""Fields of protobuf messages: what was written is read, and what is no message is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.foundation.wire import protobuf_fields
from sampan.foundation.wire.protobuf import InvalidProtobuf, signed

NUMBERS = st.integers(1, 2**29 - 1)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


@given(NUMBERS, INTEGERS)
def test_an_integer_is_read_as_it_was_written(number: int, value: int) -> None:
    found = protobuf_fields.Fields(protobuf_fields.integer(number, value))
    assert signed(found.integer(number)) == value
    assert found.has(number) == (value != 0)


@given(NUMBERS, st.dictionaries(st.text(), st.text()), st.lists(st.binary()))
def test_messages_are_read_as_they_were_written(
    number: int, values: dict[str, str], others: list[bytes]
) -> None:
    encoded = protobuf_fields.mapping(number, values)
    assert protobuf_fields.Fields(encoded).mapping(number) == values
    repeated = b"".join(protobuf_fields.message(number, other) for other in others)
    assert protobuf_fields.Fields(repeated).all(number) == others


@given(st.binary())
def test_any_bytes_are_a_message_or_refused(encoded: bytes) -> None:
    try:
        whole = protobuf_fields.Fields(encoded)
    except InvalidProtobuf:
        return
    again = protobuf_fields.Fields(encoded + protobuf_fields.text(1, "more"))
    assert again.data(1) == b"more"
    assert all(whole.has(number) == again.has(number) for number in range(2, 64))


@pytest.mark.parametrize("encoded", [b"\x0a\x05ab", b"\xff" * 11, b"\x0b", b"\x08"])
def test_bytes_that_are_no_message(encoded: bytes) -> None:
    with pytest.raises(InvalidProtobuf):
        protobuf_fields.Fields(encoded)


def test_a_value_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidProtobuf):
        protobuf_fields.Fields(protobuf_fields.integer(1, 5)).data(1)
    with pytest.raises(InvalidProtobuf):
        protobuf_fields.Fields(protobuf_fields.text(1, "five")).integer(1)
