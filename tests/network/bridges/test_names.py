"""Names of networks, and what one container may ask for of them."""

from ipaddress import IPv4Address, IPv6Address

from sampan.network import dns_messages as dns
from sampan.network.bridges.names import NetworkNames, SharedNames

FIRST, SECOND, SIX = IPv4Address("10.45.16.2"), IPv4Address("10.45.16.3"), IPv6Address("fd00::2")


def _network() -> NetworkNames:
    network = NetworkNames("Shop")
    network.set_member("a", ("Web", "www"), (FIRST, SIX))
    network.set_member("b", ("worker", "www"), (SECOND,))
    return network


def _asking(network: NetworkNames, **aliases: str) -> SharedNames:
    names = SharedNames()
    names.join("shop", network, aliases)
    return names


def _data(names: SharedNames, name: str, kind: int = dns.A) -> list[bytes] | None:
    answer = names.look_up(name, kind)
    return None if answer is None else [record.data for record in answer.answers]


def test_a_member_is_known_alone_and_with_its_network() -> None:
    names = _asking(_network())
    assert _data(names, "web") == [FIRST.packed]
    assert _data(names, "web.shop") == [FIRST.packed]
    assert _data(names, "web", dns.AAAA) == [SIX.packed]
    assert _data(names, "worker", dns.AAAA) == []
    assert _data(names, "web.other") is None
    assert _data(names, "example.com") is None


def test_an_alias_of_several_leads_to_all() -> None:
    assert _data(_asking(_network()), "www") == [FIRST.packed, SECOND.packed]


def test_an_alias_of_ones_own_is_known_to_nobody_else() -> None:
    network = _network()
    assert _data(_asking(network, DB="worker"), "db") == [SECOND.packed]
    assert _data(_asking(network), "db") is None


def test_addresses_have_names() -> None:
    names = _asking(_network())
    assert _data(names, FIRST.reverse_pointer, dns.PTR) == [dns.encode_name("web.shop")]
    assert _data(names, SIX.reverse_pointer, dns.PTR) == [dns.encode_name("web.shop")]
    assert _data(names, FIRST.reverse_pointer, dns.A) == []
    assert _data(names, IPv4Address("10.45.16.9").reverse_pointer, dns.PTR) is None


def test_who_leaves_is_forgotten() -> None:
    network = _network()
    names = _asking(network)
    network.remove_member("a")
    assert _data(names, "web") is None
    assert _data(names, "www") == [SECOND.packed]
    network.remove_member("b")
    assert not network.has_members()
    names.leave("shop")
    assert _data(names, "worker") is None
