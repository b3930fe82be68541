"""When connections to endpoints that left are looked after."""

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from sampan.network.contract import Endpoint
from sampan.network.departed_endpoints import DepartedEndpoints

FIRST = Endpoint(IPv4Address("10.42.0.2"), 80)
SECOND = Endpoint(IPv4Address("10.42.0.3"), 80)


def test_an_endpoint_that_left_is_looked_after_soon_and_again_later() -> None:
    departed = DepartedEndpoints()
    departed.leave([FIRST], now=100)
    looks = []
    while (following := departed.next_look()) is not None:
        looks.append(following - 100)
        assert departed.take_due(following) == [FIRST]
        assert departed.take_due(following) == []
    assert looks == [1, 3, 10]


def test_one_that_came_back_is_left_alone() -> None:
    departed = DepartedEndpoints()
    departed.leave([FIRST, SECOND], now=0)
    departed.come([FIRST])
    assert departed.take_due(1000) == [SECOND]


def test_one_that_left_again_is_looked_after_from_the_start() -> None:
    departed = DepartedEndpoints()
    departed.leave([FIRST], now=0)
    departed.take_due(5)
    departed.leave([FIRST], now=6)
    assert departed.next_look() == 7


@given(st.lists(st.floats(0, 20), min_size=1))
def test_late_looks_are_not_made_up_for(times: list[float]) -> None:
    departed = DepartedEndpoints()
    departed.leave([FIRST], now=0)
    seen = sum(len(departed.take_due(now)) for now in sorted(times))
    assert seen <= min(3, len(times))
    following = departed.next_look()
    assert following is None or following > max(times)
