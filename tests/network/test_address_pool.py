from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.network.address_pool import AddressesExhausted, AddressPool

SUBNET = IPv4Network("10.42.3.0/28")


def test_gateway_network_and_broadcast_addresses_are_never_given_out() -> None:
    pool = AddressPool(SUBNET)
    given_out = {pool.take() for _ in range(13)}
    assert given_out == set(list(SUBNET)[2:-1])
    with pytest.raises(AddressesExhausted):
        pool.take()


def test_a_freed_address_waits_for_its_turn() -> None:
    pool = AddressPool(SUBNET)
    first = pool.take()
    pool.give_back(first)
    assert pool.take() != first


def test_the_turn_goes_on_after_a_restart() -> None:
    pool = AddressPool(SUBNET, [IPv4Address("10.42.3.5")], last=IPv4Address("10.42.3.4"))
    assert pool.take() == IPv4Address("10.42.3.6")


def test_the_turn_of_another_subnet_means_nothing() -> None:
    assert AddressPool(SUBNET, last=IPv4Address("10.42.9.4")).take() == IPv4Address("10.42.3.2")


def test_a_subnet_of_too_many_addresses_is_refused() -> None:
    with pytest.raises(ValueError, match="larger"):
        AddressPool(IPv4Network("10.0.0.0/8"))


@given(st.lists(st.integers(min_value=-1, max_value=12), max_size=60))
def test_no_address_is_given_out_twice(steps: list[int]) -> None:
    """Each step takes an address, or (a number) gives one of those in use back."""
    pool = AddressPool(SUBNET)
    held: list[IPv4Address] = []
    for step in steps:
        if step < len(held) and step >= 0:
            pool.give_back(held.pop(step))
        elif len(held) < 13:
            taken = pool.take()
            assert taken not in held
            held.append(taken)
