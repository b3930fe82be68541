"""Values of options as people write them, read into what the engine's API takes."""

import pytest

from sampan.faces.cli.engine import option_values as values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1767323045", "1767323045"),
        ("1767323045.25", "1767323045.25"),
        ("10m", "9400.000000000"),
        ("1h30m", "4600.000000000"),
        ("2026-01-02T03:04:05Z", "1767323045.000000000"),
        ("2026-01-02T03:04:05.5+00:00", "1767323045.500000000"),
    ],
)
def test_a_time_is_a_moment_or_an_age(text: str, seconds: str) -> None:
    assert values.moment(text, 10_000) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "10 m", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the command line names the option
        values.moment(text, 10_000)


def test_a_network_may_come_with_the_settings_of_its_endpoint() -> None:
    assert values.network("shop") == ("shop", {})
    text = "name=shop,alias=a,alias=b,ip=10.0.0.2,mac-address=02:00:00:00:00:01,driver-opt=x=y"
    assert values.network(text) == (
        "shop",
        {
            "Aliases": ["a", "b"],
            "IPAMConfig": {"IPv4Address": "10.0.0.2"},
            "MacAddress": "02:00:00:00:00:01",
            "DriverOpts": {"x": "y"},
        },
    )
    for wrong in ("alias=a", "name=shop,colour=red"):
        with pytest.raises(ValueError):  # noqa: PT011
            values.network(wrong)
