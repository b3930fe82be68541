"""From what somebody asks for to a network, with Docker's refusals."""

from ipaddress import IPv4Network

import pytest

from sampan.engine.contract import (
    EngineError,
    Forbidden,
    InvalidConfiguration,
    NotFound,
)
from sampan.engine.networks.address_plan import default_subnet, next_address
from sampan.engine.networks.contract import (
    AddressManagement,
    AddressPool,
    ConfigurationSource,
    NetworkDefinition,
)
from sampan.engine.networks.definitions import Surroundings, defined_network, predefined_network
from sampan.engine.networks.record import NetworkRecord

OWN = IPv4Network("10.45.0.0/16")
RESERVED = (IPv4Network("10.42.0.0/16"),)
SUBNET = IPv4Network("10.45.0.0/20")
BRIDGE = predefined_network("bridge", identifier="b", created="", device="t-br", subnet=SUBNET)


def _network(
    definition: NetworkDefinition,
    others: tuple[NetworkRecord, ...] = (),
    routed: tuple[IPv4Network, ...] = (),
) -> NetworkRecord:
    surroundings = Surroundings(
        own=OWN, reserved=RESERVED, routed=routed, networks=(BRIDGE, *others)
    )
    return defined_network(
        definition,
        identifier="i" * 64,
        created="now",
        device=f"t-b{len(others)}",
        surroundings=surroundings,
    )


def _with_pool(*pools: AddressPool, **facts: object) -> NetworkRecord:
    management = AddressManagement(configuration=pools)
    return _network(NetworkDefinition(name="mine", ipam=management, **facts))


def test_a_subnet_is_found_beside_all_that_there_is() -> None:
    plain = _network(NetworkDefinition(name="mine"))
    assert plain.pools == (AddressPool(subnet="10.45.16.0/24", gateway="10.45.16.1"),)
    assert not plain.chosen_subnet
    routed = (IPv4Network("10.45.16.0/22"),)
    beside = _network(NetworkDefinition(name="mine"), routed=routed)
    assert beside.pools[0].subnet == "10.45.20.0/24"
    after = _network(NetworkDefinition(name="mine"), (plain,))
    assert after.pools[0].subnet == "10.45.17.0/24"
    elsewhere = _network(NetworkDefinition(name="mine"), routed=(IPv4Network("10.0.0.0/8"),))
    assert elsewhere.pools[0].subnet == "172.31.0.0/24"
    with pytest.raises(EngineError, match="fully subnetted"):
        _network(NetworkDefinition(name="mine"), routed=(IPv4Network("0.0.0.0/0"),))


def test_the_default_bridge_keeps_out_of_the_machines_way() -> None:
    assert default_subnet(OWN, []) == SUBNET
    assert default_subnet(OWN, [OWN]) == IPv4Network("172.31.0.0/20")


@pytest.mark.parametrize(
    ("pool", "error", "text"),
    [
        (AddressPool(subnet="10.0.0.0"), InvalidConfiguration, "invalid CIDR"),
        (AddressPool(subnet="10.0.0.0/31"), InvalidConfiguration, "too small"),
        (AddressPool(subnet="10.1.0.0/24", gateway="10.2.0.1"), InvalidConfiguration, "gateway"),
        (
            AddressPool(subnet="10.1.0.0/24", ip_range="10.2.0.0/25"),
            InvalidConfiguration,
            "ip-range",
        ),
        (
            AddressPool(subnet="10.1.0.0/24", auxiliary_addresses={"a": "10.2.0.1"}),
            InvalidConfiguration,
            "auxiliary address a",
        ),
        (AddressPool(gateway="10.2.0.1"), InvalidConfiguration, "no matching subnet"),
        (AddressPool(subnet="10.45.0.0/24"), Forbidden, "Pool overlaps"),
        (AddressPool(subnet="10.42.7.0/24"), Forbidden, "Pool overlaps"),
    ],
)
def test_pools_that_cannot_be_are_refused(
    pool: AddressPool, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        _with_pool(pool)


@pytest.mark.parametrize(
    ("definition", "error"),
    [
        (NetworkDefinition(name=""), InvalidConfiguration),
        (NetworkDefinition(name="../x"), InvalidConfiguration),
        (NetworkDefinition(name="none"), Forbidden),
        (NetworkDefinition(name="x", driver="host"), Forbidden),
        (NetworkDefinition(name="x", driver="overlay"), NotFound),
        (NetworkDefinition(name="x", ipam=AddressManagement(driver="dhcp")), NotFound),
        (NetworkDefinition(name="x", ingress=True), InvalidConfiguration),
        (NetworkDefinition(name="x", enable_ipv4=False), InvalidConfiguration),
        (
            NetworkDefinition(name="x", options={"com.docker.network.driver.mtu": "no"}),
            InvalidConfiguration,
        ),
        (
            NetworkDefinition(name="x", options={"com.docker.network.bridge.enable_icc": "ja"}),
            InvalidConfiguration,
        ),
        (
            NetworkDefinition(name="x", options={"com.docker.network.bridge.name": "a b"}),
            InvalidConfiguration,
        ),
        (
            NetworkDefinition(name="x", options={"com.docker.network.bridge.name": "t-br"}),
            Forbidden,
        ),
    ],
)
def test_definitions_that_cannot_be_are_refused(
    definition: NetworkDefinition, error: type[Exception]
) -> None:
    with pytest.raises(error):
        _network(definition)


def test_six_gets_a_subnet_of_its_own() -> None:
    made = _network(NetworkDefinition(name="mine", enable_ipv6=True))
    pool = made.pool6()
    assert pool is not None
    assert pool.subnet.startswith("fd")
    assert pool.subnet.endswith("::/64")
    only = _network(NetworkDefinition(name="mine", enable_ipv6=True, enable_ipv4=False))
    assert only.pool4() is None


def test_a_configuration_serves_another_network() -> None:
    pool = AddressPool(subnet="10.99.0.0/24")
    held = _with_pool(pool, configuration_only=True, labels={"a": "b"})
    assert held.as_bridge() is None
    source = ConfigurationSource(network="mine")
    made = _network(NetworkDefinition(name="other", configuration_from=source), (held,))
    assert (made.pools[0].subnet, made.labels) == ("10.99.0.0/24", {"a": "b"})
    with pytest.raises(NotFound, match="configuration network 'mine' not found"):
        _network(NetworkDefinition(name="other", configuration_from=source))


def test_a_full_subnet_has_no_address_left() -> None:
    pool = AddressPool(subnet="10.9.0.0/30", gateway="10.9.0.1")
    first = next_address(pool, (), "mine")
    assert str(first) == "10.9.0.2"
    with pytest.raises(EngineError, match="no available addresses"):
        next_address(pool, (first,), "mine")
