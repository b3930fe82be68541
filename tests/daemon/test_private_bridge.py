"""What follows from an instance's name for the bridge of its nodes."""

from ipaddress import IPv4Address

from sampan.daemon import private_bridge
from sampan.foundation.settings import Instance


def test_names_fit_into_the_kernels_fifteen_characters() -> None:
    for name in ("sampan", "a", "twenty-characters-ab"):
        instance = Instance(name=name)
        names = {private_bridge.link_name(instance, number) for number in range(2, 51)}
        names.add(private_bridge.bridge_name(instance))
        assert len(names) == 50
        assert all(len(link) <= 15 for link in names)


def test_hardware_addresses_are_local_and_follow_from_addresses() -> None:
    assert private_bridge.hardware_address(IPv4Address("10.44.0.2")) == "02:5a:0a:2c:00:02"


def test_the_table_is_no_other_instances() -> None:
    assert private_bridge.packet_table(Instance()) == "sampan_machine"
    assert Instance(name="machine").packet_table != "sampan_machine"


def test_the_rules_replace_the_whole_table_at_once() -> None:
    rules = private_bridge.packet_rules(Instance())
    assert rules.index("delete table ip sampan_machine") < rules.index("chain guard")
    assert "10.44.0.0/24" in rules
