from ipaddress import IPv4Address, IPv4Network

from tests.network.dns_client import Response, query, read_response

from sampan.network import dns_messages as dns
from sampan.network.contract import DnsRecords
from sampan.network.dns_responder import MOST_REMEMBERED, Forward, Responder
from sampan.network.dns_zone import Zone

NAME = "web.shop.svc.cluster.local"


def _responder(*addresses: str) -> tuple[Zone, Responder]:
    zone = Zone("cluster.local", IPv4Network("10.42.0.0/16"))
    zone.update(DnsRecords(addresses={NAME: tuple(map(IPv4Address, addresses))}), ())
    return zone, Responder(zone)


def _ask(responder: Responder, message: bytes) -> Response:
    said = responder.respond(message)
    assert isinstance(said, bytes)
    return read_response(said)


def test_each_query_gets_its_own_identifier_back() -> None:
    _, responder = _responder("10.43.0.1")
    for identifier in (1, 2, 65535):
        assert _ask(responder, query(NAME, dns.A, identifier=identifier)).identifier == identifier


def test_the_case_of_the_question_comes_back() -> None:
    _, responder = _responder("10.43.0.1")
    response = _ask(responder, query(NAME.upper(), dns.A))
    assert response.answers[0].owner == NAME.upper()


def test_every_address_is_first_sometimes() -> None:
    addresses = [f"10.42.0.{number}" for number in range(2, 7)]
    _, responder = _responder(*addresses)
    responses = [_ask(responder, query(NAME, dns.A)) for _ in range(20)]
    first = {str(IPv4Address(response.answers[0].data)) for response in responses}
    assert first == set(addresses)
    assert all(len(response.answers) == 5 for response in responses)


def test_a_change_is_seen_at_once() -> None:
    zone, responder = _responder("10.43.0.1")
    assert _ask(responder, query(NAME, dns.A)).code == dns.NO_ERROR
    zone.update(DnsRecords(), (NAME,))
    responder.forget()
    assert _ask(responder, query(NAME, dns.A)).code == dns.NAME_ERROR


def test_what_is_remembered_is_bounded() -> None:
    _, responder = _responder("10.43.0.1")
    for number in range(MOST_REMEMBERED + 10):
        responder.respond(query(f"x{number}.svc.cluster.local", dns.A))
    assert len(responder._remembered) <= MOST_REMEMBERED


def test_the_worlds_names_are_to_be_forwarded() -> None:
    _, responder = _responder("10.43.0.1")
    message = query("example.com", dns.A)
    for said in (responder.respond(message), responder.respond_at_length(message)):
        assert isinstance(said, Forward)
        assert said.query.name == "example.com"


def test_other_operations_and_classes_are_declined() -> None:
    _, responder = _responder("10.43.0.1")
    update = bytearray(query(NAME, dns.A))
    update[2] |= 5 << 3
    assert _ask(responder, bytes(update)).code == dns.NOT_IMPLEMENTED
    chaos = query(NAME, dns.A)[:-1] + b"\x03"
    assert _ask(responder, chaos).code == dns.REFUSED


def test_malformed_messages_are_answered_once_and_responses_never() -> None:
    _, responder = _responder("10.43.0.1")
    malformed = bytearray(query(NAME, dns.A))
    malformed[5] = 2
    assert _ask(responder, bytes(malformed)).code == dns.FORMAT_ERROR
    assert responder.respond(b"short") is None
    response = bytearray(query(NAME, dns.A))
    response[2] |= 0x80
    assert responder.respond(bytes(response)) is None


def test_over_tcp_nothing_is_cut() -> None:
    addresses = [str(IPv4Address("10.42.0.0") + number) for number in range(300)]
    _, responder = _responder(*addresses)
    assert _ask(responder, query(NAME, dns.A)).truncated
    said = responder.respond_at_length(query(NAME, dns.A))
    assert isinstance(said, bytes)
    assert len(read_response(said).answers) == 300
