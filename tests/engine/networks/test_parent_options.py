"""What `macvlan` and `ipvlan` networks are made of, with Docker's refusals."""

from ipaddress import IPv4Network

import pytest

from sampan.engine.containers.configuration import EndpointSettings
from sampan.engine.contract import Forbidden, InvalidConfiguration
from sampan.engine.networks.contract import ContainerIdentity, NetworkDefinition
from sampan.engine.networks.definitions import Surroundings, defined_network
from sampan.engine.networks.endpoint_plan import EndpointWish, Identifiers, placed_endpoint
from sampan.engine.networks.record import NetworkRecord
from sampan.engine.networks.sandbox_record import PlacedEndpoint
from sampan.network.bridges.contract import ParentLink


def _network(driver: str, *others: NetworkRecord, **options: str) -> NetworkRecord:
    return defined_network(
        NetworkDefinition(name="mine", driver=driver, options=options),
        identifier="i" * 64,
        created="now",
        device="t-b1234567",
        surroundings=Surroundings(own=IPv4Network("10.45.0.0/16"), networks=others),
    )


def _placed(network: NetworkRecord) -> PlacedEndpoint:
    identity = ContainerIdentity(identifier="c" * 64, name="one", hostname="one")
    wish = EndpointWish(network=network, settings=EndpointSettings())
    identifiers = Identifiers(endpoint="e" * 64, device="t-c1")
    return placed_endpoint(wish, identity, identifiers, used=(), taken_interfaces=())


@pytest.mark.parametrize(
    ("driver", "options", "mode", "parent"),
    [
        ("macvlan", {"parent": "eth0"}, "bridge", ParentLink(device="eth0")),
        ("macvlan", {"parent": "eth0", "macvlan_mode": "vepa"}, "vepa", ParentLink(device="eth0")),
        (
            "macvlan",
            {"parent": "eth0.50"},
            "bridge",
            ParentLink(device="eth0.50", made="vlan", below="eth0", tag=50),
        ),
        ("ipvlan", {"parent": "eth0"}, "l2", ParentLink(device="eth0")),
        ("ipvlan", {"parent": "eth0", "ipvlan_mode": "l3s"}, "l3s", ParentLink(device="eth0")),
        ("macvlan", {}, "bridge", ParentLink(device="t-b1234567", made="dummy")),
    ],
)
def test_options(driver: str, options: dict[str, str], mode: str, parent: ParentLink) -> None:
    network = _network(driver, **options)
    assert (network.driver, network.bridge, network.as_bridge()) == (driver, None, None)
    assert network.parent is not None
    assert (network.parent.mode, network.parent.parent) == (mode, parent)
    assert network.is_closed == (parent.made == "dummy")
    assert network.has_names


@pytest.mark.parametrize(
    ("driver", "options", "told"),
    [
        ("macvlan", {"macvlan_mode": "loud"}, "requested macvlan mode 'loud' is not valid"),
        ("ipvlan", {"ipvlan_mode": "bridge"}, "'l2' mode is the ipvlan driver default"),
        ("ipvlan", {"ipvlan_flag": "x"}, "requested ipvlan flag 'x' is not valid"),
        ("macvlan", {"parent": "lo"}, "loopback interface is not a valid macvlan parent link"),
        ("macvlan", {"parent": "a b"}, "can't be an interface's name"),
        ("macvlan", {"parent": "eth0.4095"}, "a vlan id of 4095 is not valid"),
    ],
)
def test_options_that_cannot_be(driver: str, options: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidConfiguration, match=told):
        _network(driver, **options)


def test_a_parent_has_one_network() -> None:
    first = _network("macvlan", parent="eth0")
    told = "network mine is already using parent interface eth0"
    with pytest.raises(Forbidden, match=told):
        _network("ipvlan", first, parent="eth0")


def test_containers_speak_for_themselves() -> None:
    place = _placed(_network("macvlan", parent="eth0"))
    assert place.settings.gateway == "10.45.16.1"
    assert place.settings.mac_address
    assert not place.internal
    assert place.as_port().child == place.child


def test_a_shared_hardware_address_is_not_told() -> None:
    place = _placed(_network("ipvlan", parent="eth0"))
    assert (place.settings.mac_address, place.settings.gateway) == ("", "10.45.16.1")
    routed = _placed(_network("ipvlan", parent="eth0", ipvlan_mode="l3"))
    assert routed.settings.gateway == ""
    assert routed.child is not None
    assert not routed.child.has_neighbours


def test_nothing_leads_out_where_there_is_no_parent() -> None:
    place = _placed(_network("macvlan"))
    assert place.internal
    assert place.settings.gateway == ""
