from ipaddress import IPv4Address, IPv4Network

import pytest

from sampan.network import dns_messages as dns
from sampan.network.contract import DnsRecords
from sampan.network.dns_zone import Zone

PODS = IPv4Network("10.42.0.0/16")
SERVICES = IPv4Network("10.43.0.0/16")
WEB = "web.shop.svc.cluster.local"
DATABASE = "db.shop.svc.cluster.local"


@pytest.fixture
def zone() -> Zone:
    made = Zone("cluster.local", PODS, (PODS, SERVICES))
    records = DnsRecords(
        addresses={
            WEB: (IPv4Address("10.43.0.20"),),
            DATABASE: (IPv4Address("10.42.0.5"), IPv4Address("10.42.1.5")),
            f"db-0.{DATABASE}": (IPv4Address("10.42.0.5"),),
        },
        services={f"_http._tcp.{WEB}": ((80, WEB),)},
        pointers={IPv4Address("10.43.0.20"): WEB},
    )
    assert made.update(records, ()) == []
    return made


def _data(zone: Zone, name: str, kind: int) -> list[bytes]:
    answer = zone.look_up(name, kind)
    assert answer is not None
    assert answer.code == dns.NO_ERROR
    return [record.data for record in answer.answers]


def _code(zone: Zone, name: str, kind: int = dns.A) -> int:
    answer = zone.look_up(name, kind)
    assert answer is not None
    assert answer.answers == ()
    assert [record.kind for record in answer.authority] == [dns.SOA]
    return answer.code


def test_services_have_their_addresses(zone: Zone) -> None:
    assert _data(zone, WEB, dns.A) == [bytes((10, 43, 0, 20))]
    assert len(_data(zone, DATABASE, dns.A)) == 2


def test_ports_have_their_target_and_its_address(zone: Zone) -> None:
    answer = zone.look_up(f"_http._tcp.{WEB}", dns.SRV)
    assert answer is not None
    assert answer.answers == (dns.service_record(80, WEB, 5),)
    assert [record.owner for record in answer.additional] == [WEB]


def test_addresses_have_their_names(zone: Zone) -> None:
    assert _data(zone, "20.0.43.10.in-addr.arpa", dns.PTR) == [dns.encode_name(WEB)]


def test_unknown_names_of_ours_do_not_exist(zone: Zone) -> None:
    for name in (f"nope.{WEB}", "nope.shop.svc.cluster.local", "google.com.cluster.local"):
        assert _code(zone, name) == dns.NAME_ERROR
    assert _code(zone, "9.9.43.10.in-addr.arpa", dns.PTR) == dns.NAME_ERROR


def test_known_names_without_such_a_record_exist(zone: Zone) -> None:
    """Otherwise a resolver that asks for AAAA first would give up."""
    assert _code(zone, WEB, dns.AAAA) == dns.NO_ERROR
    assert _code(zone, f"_http._tcp.{WEB}", dns.A) == dns.NO_ERROR
    assert _code(zone, "20.0.43.10.in-addr.arpa", dns.A) == dns.NO_ERROR


def test_names_above_known_ones_exist(zone: Zone) -> None:
    for name in ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local", f"_tcp.{WEB}"):
        assert _code(zone, name) == dns.NO_ERROR


def test_the_worlds_names_are_somebody_elses(zone: Zone) -> None:
    for name in ("example.com", "cluster.local.example.com", "notcluster.local", ""):
        assert zone.look_up(name, dns.A) is None
    assert zone.look_up("8.8.8.8.in-addr.arpa", dns.PTR) is None
    assert zone.look_up("nonsense.in-addr.arpa", dns.PTR) is None


def test_what_is_removed_is_gone_with_what_was_above_it(zone: Zone) -> None:
    names = (WEB, f"_http._tcp.{WEB}", DATABASE, f"db-0.{DATABASE}", "20.0.43.10.in-addr.arpa")
    zone.update(DnsRecords(), names)
    for name in (*names[:4], "shop.svc.cluster.local"):
        assert _code(zone, name) == dns.NAME_ERROR
    assert _code(zone, names[4], dns.PTR) == dns.NAME_ERROR
    assert _code(zone, "svc.cluster.local") == dns.NO_ERROR
    zone.update(DnsRecords(), names)


def test_what_is_replaced_has_the_new_answer_alone(zone: Zone) -> None:
    zone.update(DnsRecords(addresses={DATABASE: (IPv4Address("10.42.2.2"),)}), ())
    assert _data(zone, DATABASE, dns.A) == [bytes((10, 42, 2, 2))]
    zone.update(DnsRecords(), (DATABASE,))
    assert _code(zone, DATABASE) == dns.NO_ERROR


def test_pods_names_say_their_addresses(zone: Zone) -> None:
    assert _data(zone, "10-42-0-5.shop.pod.cluster.local", dns.A) == [bytes((10, 42, 0, 5))]
    for name in ("10-9-0-5.shop", "10-42-0.shop", "10-42-0-5", "a.10-42-0-5.shop"):
        assert _code(zone, f"{name}.pod.cluster.local") == dns.NAME_ERROR


def test_the_version_of_the_rules_is_told(zone: Zone) -> None:
    assert _data(zone, "dns-version.cluster.local", dns.TXT) == [b"\x051.1.0"]


def test_what_cannot_be_said_in_dns_is_left_out(zone: Zone) -> None:
    bad = f"{'a' * 64}.svc.cluster.local"
    refused = zone.update(
        DnsRecords(
            addresses={bad: (IPv4Address("10.43.0.1"),), "ü.svc.cluster.local": ()},
            services={f"_http._tcp.{WEB}": ((80, bad),)},
            pointers={IPv4Address("10.43.0.1"): "a..b"},
        ),
        (),
    )
    assert len(refused) == 4
    assert _code(zone, bad) == dns.NAME_ERROR
