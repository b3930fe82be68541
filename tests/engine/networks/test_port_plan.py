"""Which ports of the machine a container wants."""

from ipaddress import ip_address

import pytest

from sampan.engine.containers.configuration import PortBinding
from sampan.engine.contract import InvalidConfiguration
from sampan.engine.networks.port_plan import PortWish, port_wishes, shown_ports

LOOPBACK = (ip_address("127.0.0.1"), ip_address("::1"))


def _wishes(*exposed: str, publish_all: bool = False, **bindings: PortBinding) -> list[PortWish]:
    wanted = {name.replace("_", "/").lstrip("p"): (place,) for name, place in bindings.items()}
    return port_wishes(exposed, wanted, publish_all=publish_all, default_addresses=LOOPBACK)


def test_an_address_that_is_not_named_is_the_default() -> None:
    (wish,) = _wishes(p80_tcp=PortBinding(host_port="8080"))
    assert wish == PortWish(
        port=80, protocol="tcp", host_addresses=("127.0.0.1", "::1"), first=8080, last=8080
    )


def test_what_is_only_exposed_is_not_published_unless_all_are() -> None:
    assert _wishes("80/tcp") == []
    everything = _wishes("80/tcp", "9/udp", publish_all=True)
    assert [(wish.exposed, wish.first) for wish in everything] == [("9/udp", 0), ("80/tcp", 0)]


def test_a_binding_without_a_place_gets_any_port() -> None:
    wishes = port_wishes((), {"80": ()}, publish_all=False, default_addresses=LOOPBACK)
    assert [(wish.exposed, wish.first, wish.last) for wish in wishes] == [("80/tcp", 0, 0)]


def test_ranges_are_kept_as_they_are() -> None:
    (wish,) = _wishes(p80=PortBinding(host_port="8000-8010", host_address="0.0.0.0"))
    assert (wish.first, wish.last, wish.host_addresses) == (8000, 8010, ("0.0.0.0",))


@pytest.mark.parametrize(
    ("port", "place", "error"),
    [
        ("0/tcp", PortBinding(), InvalidConfiguration),
        ("65536/tcp", PortBinding(), InvalidConfiguration),
        ("x/tcp", PortBinding(), InvalidConfiguration),
        ("80/icmp", PortBinding(), InvalidConfiguration),
        ("80/tcp", PortBinding(host_port="9-8"), InvalidConfiguration),
        ("80/tcp", PortBinding(host_port="-8"), InvalidConfiguration),
        ("80/tcp", PortBinding(host_port="٣"), InvalidConfiguration),
        ("80/tcp", PortBinding(host_address="machine"), InvalidConfiguration),
    ],
)
def test_what_is_no_port_is_refused(port: str, place: PortBinding, error: type[Exception]) -> None:
    with pytest.raises(error):
        port_wishes((), {port: (place,)}, publish_all=False, default_addresses=LOOPBACK)


def test_what_came_true_is_shown_beside_what_is_exposed() -> None:
    wishes = _wishes("81", p80_tcp=PortBinding(host_port="8000-8010"))
    assert shown_ports(("81", "80/tcp"), wishes, [8003]) == {
        "81/tcp": None,
        "80/tcp": tuple(PortBinding(host_address=str(each), host_port="8003") for each in LOOPBACK),
    }


@pytest.mark.parametrize(
    ("text", "address"), [("::1", "::1"), ("0:0::0", "::"), ("::ffff:192.0.2.1", "192.0.2.1")]
)
def test_an_address_of_either_version_is_that_one_alone(text: str, address: str) -> None:
    (wish,) = _wishes(p80_sctp=PortBinding(host_address=text))
    assert (wish.host_addresses, wish.exposed) == ((address,), "80/sctp")
