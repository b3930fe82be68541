import pytest

from sampan.network.bridges.rates import bytes_a_second


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("", 0),
        ("8000000", 1_000_000),
        ("10mbit", 1_250_000),
        ("1.5 Mbit", 187_500),
        ("1gbit", 125_000_000),
        ("2mbps", 2_000_000),
        ("1kibps", 1024),
    ],
)
def test_units_are_those_of_traffic_control(text: str, rate: int) -> None:
    assert bytes_a_second(text) == rate


@pytest.mark.parametrize("text", ["fast", "10 apples", "-1mbit", "1", "1e9", "0mbit"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid rate"):
        bytes_a_second(text)
