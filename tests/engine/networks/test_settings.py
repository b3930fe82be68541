"""Names and ranges of instances keep out of one another's way."""

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from sampan.engine.contract import InvalidConfiguration
from sampan.engine.networks.settings import network_settings
from sampan.foundation.settings import Instance


def test_everything_follows_from_the_instances_name() -> None:
    settings = network_settings(Instance(), {})
    assert str(settings.range) == "10.45.0.0/16"
    assert (settings.default_device, settings.device_prefix) == ("sampan-bridge", "sampan-b")
    assert settings.bridges.table == "sampan-containers"
    assert settings.bridges.port_prefix == "sampan-c"
    assert settings.sandbox_folder == Path("/run/sampan/engine/networks")
    assert settings.host_addresses == (IPv4Address("127.0.0.1"), IPv6Address("::1"))


def test_no_range_overlaps_with_any_of_any_instance() -> None:
    instances = [Instance(), *(Instance(name=f"i{number}") for number in range(400))]
    by_slot = {instance.slot: network_settings(instance, {}) for instance in instances}
    assert len(by_slot) > 45
    ranges = [
        each for settings in by_slot.values() for each in (settings.range, *settings.reserved)
    ]
    assert not any(
        first.overlaps(second)
        for position, first in enumerate(ranges)
        for second in ranges[position + 1 :]
    )


def test_names_of_interfaces_fit_into_the_kernels_limit() -> None:
    for name in ("sampan", *(f"i{number}" for number in range(200))):
        settings = network_settings(Instance(name=name), {})
        assert len(settings.default_device) <= 15
        assert len(settings.device_prefix) + 7 <= 15
        assert len(settings.bridges.port_prefix) + 7 <= 15


def test_the_environment_says_where_ports_are_published() -> None:
    chosen = network_settings(Instance(), {"SAMPAN_PUBLISH_ADDRESS": "0.0.0.0"})
    assert chosen.host_addresses == (IPv4Address(0), IPv6Address(0))
    with pytest.raises(InvalidConfiguration, match="invalid SAMPAN_PUBLISH_ADDRESS"):
        network_settings(Instance(), {"SAMPAN_PUBLISH_ADDRESS": "everywhere"})
