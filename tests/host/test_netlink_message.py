import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.host import netlink_message as message
from sampan.host.netlink_message import NetlinkError

attributes = st.lists(st.tuples(st.integers(1, 0x3FFF), st.binary(max_size=40)), max_size=10)


@given(attributes)
def test_attributes_are_read_as_they_were_written(wanted: list[tuple[int, bytes]]) -> None:
    written = b"".join(message.attribute(kind, value) for kind, value in wanted)
    assert len(written) % 4 == 0
    assert message.parse_attributes(written) == dict(wanted)
    assert message.parse_list(written) == [value for _, value in wanted]


@given(attributes)
def test_nested_attributes_are_found_by_their_kind(wanted: list[tuple[int, bytes]]) -> None:
    inner = [message.attribute(kind, value) for kind, value in wanted]
    outer = message.parse_attributes(message.nested(5, *inner))
    assert message.parse_attributes(outer[5]) == dict(wanted)


@given(st.binary(max_size=60))
def test_malformed_attributes_are_an_error_and_nothing_worse(payload: bytes) -> None:
    try:
        message.parse_attributes(payload)
    except NetlinkError:
        return


def test_an_attribute_that_claims_too_much_is_refused() -> None:
    with pytest.raises(NetlinkError):
        message.parse_attributes(b"\x20\x00\x01\x00abcd")
