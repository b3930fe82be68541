"""Instances of different names share nothing."""

import pytest

from sampan.foundation.settings import Instance, InvalidInstanceName


@pytest.mark.parametrize("name", ["", "A", "1st", "a-", "-a", "a" * 21, "a_b", "a/b", "ä"])
def test_a_name_that_is_no_short_label_is_refused(name: str) -> None:
    with pytest.raises(InvalidInstanceName):
        Instance(name=name)


def test_the_default_instance_has_the_names_that_users_know() -> None:
    instance = Instance()
    assert str(instance.state_folder) == "/var/lib/sampan"
    assert str(instance.kubeconfig) == "/etc/sampan/kubeconfig"
    assert instance.interface("nodes") == "sampan-nodes"
    assert [str(r) for r in (instance.pod_range, instance.service_range, instance.node_range)] == [
        "10.42.0.0/16",
        "10.43.0.0/16",
        "10.44.0.0/24",
    ]
    assert str(instance.dns_service_address) == "10.43.0.10"
    assert str(instance.node_address(2)) == "10.44.0.2"
    assert str(instance.loopback_address) == "127.0.0.1"


@pytest.mark.parametrize("name", ["test", "bench", "a", "zz-9"])
def test_another_instance_shares_nothing_with_the_default_one(name: str) -> None:
    mine, default = Instance(name=name), Instance()
    for field in ("state_folder", "run_folder", "configuration_folder", "cgroup", "packet_table"):
        assert getattr(mine, field) != getattr(default, field)
    ranges = [mine.pod_range, mine.service_range, mine.node_range]
    assert not any(
        ours.overlaps(theirs)
        for ours in ranges
        for theirs in (default.pod_range, default.service_range, default.node_range)
    )
    assert not ranges[0].overlaps(ranges[1])
    assert not ranges[1].overlaps(ranges[2])
    assert mine.loopback_address != default.loopback_address
    assert mine.overlay_identifier != default.overlay_identifier
    assert len(mine.interface("a-long-purpose")) <= 15
