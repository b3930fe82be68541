import struct
from ipaddress import IPv4Address

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.network.dns_client import query, read_response

from sampan.network import dns_messages as dns
from sampan.network.dns_messages import Answer, MalformedMessage, Record

labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=63)
domain_names = (
    st.lists(labels, min_size=1, max_size=6).map(".".join).filter(lambda name: len(name) <= 250)
)
addresses = st.integers(min_value=0, max_value=2**32 - 1).map(IPv4Address)


@given(domain_names, st.integers(0, 65535), st.integers(0, 65535))
def test_a_query_is_read_as_it_was_asked(name: str, kind: int, identifier: int) -> None:
    read = dns.read_query(query(name.upper(), kind, identifier=identifier))
    assert (read.name, read.kind, read.identifier) == (name.lower(), kind, identifier)
    assert read.record_class == dns.INTERNET


@given(st.binary(max_size=300))
def test_no_bytes_do_harm(message: bytes) -> None:
    try:
        dns.read_query(message)
    except MalformedMessage:
        said = dns.format_error(message)
        assert said is None or said[2] & 0x80


@given(domain_names, st.binary(max_size=80))
def test_no_bytes_after_a_question_do_harm(name: str, tail: bytes) -> None:
    message = bytearray(query(name, dns.A) + tail)
    message[11] = 1
    try:
        read = dns.read_query(bytes(message))
    except MalformedMessage:
        return
    assert dns.SMALLEST_UDP <= read.payload_size <= dns.LARGEST_UDP


@given(domain_names, st.lists(addresses, max_size=20))
def test_answers_come_back_with_the_question(name: str, wanted: list[IPv4Address]) -> None:
    asked = query(name, dns.A, payload_size=1232)
    records = tuple(dns.address_record(address, 5) for address in wanted)
    said = dns.write_response(dns.read_query(asked), Answer(answers=records), 1232)
    response = read_response(said)
    assert response.identifier == 7
    assert response.code == dns.NO_ERROR
    assert [answer.owner for answer in response.answers] == [name] * len(wanted)
    assert [answer.data for answer in response.answers] == [each.packed for each in wanted]


def test_what_is_too_long_is_cut_to_nothing_but_says_so() -> None:
    records = tuple(dns.address_record(IPv4Address(number), 5) for number in range(100))
    asked = dns.read_query(query("many.example", dns.A))
    said = dns.write_response(asked, Answer(answers=records), dns.SMALLEST_UDP)
    response = read_response(said)
    assert response.truncated
    assert response.answers == []
    assert len(said) <= dns.SMALLEST_UDP


def test_additional_records_are_the_first_to_be_left_out() -> None:
    extra = tuple(dns.address_record(IPv4Address(number), 5, "to.example") for number in range(60))
    asked = dns.read_query(query("_a._tcp.example", dns.SRV))
    answer = Answer(answers=(dns.service_record(80, "to.example", 5),), additional=extra)
    response = read_response(dns.write_response(asked, answer, dns.SMALLEST_UDP))
    assert not response.truncated
    assert len(response.answers) == 1
    assert response.additional == []


def test_options_are_answered_with_options() -> None:
    asked = dns.read_query(query("a.example", dns.A, payload_size=4096))
    assert asked.payload_size == dns.LARGEST_UDP
    said = dns.write_response(asked, Answer(code=dns.BAD_VERSION), 1232)
    response = read_response(said)
    assert [record.kind for record in response.additional] == [dns.OPT]
    assert response.code == dns.BAD_VERSION & 0xF
    assert response.additional[0].time_to_live >> 24 == dns.BAD_VERSION >> 4


@pytest.mark.parametrize("name", ["a..b", "." * 3, "a" * 64, ".".join(["a" * 60] * 5)])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="domain name"):
        dns.encode_name(name)


def test_a_response_is_never_answered() -> None:
    message = bytearray(query("a.example", dns.A))
    message[2] |= 0x80
    with pytest.raises(MalformedMessage):
        dns.read_query(bytes(message))
    assert dns.format_error(bytes(message)) is None


def test_a_compressed_question_is_malformed() -> None:
    message = struct.pack(">HHHHHH", 1, 0, 1, 0, 0, 0) + b"\xc0\x0c" + b"\0\1\0\1"
    with pytest.raises(MalformedMessage):
        dns.read_query(message)
    said = dns.format_error(message)
    assert said is not None
    assert said[3] & 0xF == dns.FORMAT_ERROR


def test_records_can_be_compared() -> None:
    assert dns.text_record("1.1.0", 5) == Record(dns.TXT, 5, b"\x051.1.0")
    assert msgspec.structs.replace(Answer(), code=3) != Answer()
