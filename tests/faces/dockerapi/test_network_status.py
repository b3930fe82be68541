"""How many addresses of a network are said to be taken."""

import pytest

from sampan.engine.networks.contract import (
    AddressManagement,
    AddressPool,
    ConnectedContainer,
    NetworkDetail,
)
from sampan.faces.dockerapi.network_status import document


def network(pool, *containers):
    return NetworkDetail(
        name="n",
        identifier="i",
        created="",
        driver="bridge",
        ipam=AddressManagement(configuration=(pool,) if pool else ()),
        containers={str(number): one for number, one in enumerate(containers)},
        options={},
        labels={},
    )


def container(**addresses):
    return ConnectedContainer(name="c", endpoint_identifier="e", mac_address="m", **addresses)


@pytest.mark.parametrize(
    ("pool", "containers", "in_use", "available"),
    [
        (AddressPool(subnet="10.1.0.0/16", gateway="10.1.0.1"), [], 3, 65533),
        (
            AddressPool(subnet="10.1.0.0/16", gateway="10.1.0.1"),
            [container(ipv4_address="10.1.0.2/16"), container(ipv4_address="10.2.0.2/16")],
            4,
            65532,
        ),
        (
            AddressPool(
                subnet="10.1.0.0/24",
                gateway="10.1.0.1",
                ip_range="10.1.0.128/30",
                auxiliary_addresses={"in": "10.1.0.129", "out": "10.1.0.9"},
            ),
            [container(ipv4_address="10.1.0.128/24")],
            6,
            2,
        ),
        (
            AddressPool(subnet="fd00::/64", gateway="fd00::1"),
            [container(ipv6_address="fd00::2/64")],
            3,
            (1 << 64) - 3,
        ),
        (AddressPool(subnet="fd00::/56"), [], 1, (1 << 64) - 1),
    ],
)
def test_addresses_are_counted(pool, containers, in_use, available):
    found = document(network(pool, *containers))
    assert found["IPAM"]["Subnets"] == {
        pool.subnet: {"IPsInUse": in_use, "DynamicIPsAvailable": available}
    }


def test_a_network_without_addresses_has_none():
    assert document(network(None)) == {"IPAM": {"Subnets": {}}}
