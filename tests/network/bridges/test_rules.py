"""Rules of bridges are kept as desired, whatever others do to them."""

from ipaddress import IPv4Interface, IPv6Interface, ip_address
from pathlib import Path

import pytest

from sampan.host.netlink_message import NetlinkError
from sampan.host.nftables_fake import FakeRules
from sampan.network.bridges.contract import Bridge, BridgeSettings, Port, PublishedPort
from sampan.network.bridges.rules import BridgeRules
from sampan.network.ruleset import Ruleset

SETTINGS = BridgeSettings(table="t", port_prefix="t-c", namespace_folder=Path("/nowhere"))
BRIDGE = Bridge(device="t-bridge", gateway=IPv4Interface("10.45.0.1/20"))
PORT = Port(
    device="t-c1",
    bridge="t-bridge",
    interface="eth0",
    hardware_address="02:42:0a:2d:00:02",
    address=IPv4Interface("10.45.0.2/20"),
    address6=IPv6Interface("fd00::2/64"),
)


def _published(address: str, host_port: int = 8080, target: str = "10.45.0.2") -> PublishedPort:
    return PublishedPort(
        protocol="tcp",
        host_address=ip_address(address),
        host_port=host_port,
        address=ip_address(target),
        port=80,
    )


def _made() -> tuple[FakeRules, Ruleset, BridgeRules]:
    kernel = FakeRules()
    ruleset = Ruleset(kernel)
    rules = BridgeRules(SETTINGS, ruleset)
    rules.set_bridges([BRIDGE])
    return kernel, ruleset, rules


def _keys(kernel: FakeRules, family: str, name: str) -> list[str]:
    return [element.key.hex() for element in kernel.elements(family, "t", name)]


def test_a_port_may_speak_with_its_own_addresses_until_it_is_removed() -> None:
    kernel, _, rules = _made()
    rules.add_ports([PORT])
    station = b"t-c1".ljust(16, b"\0").hex() + "02420a2d00020000"
    assert _keys(kernel, "bridge", "stations") == [station]
    assert _keys(kernel, "bridge", "addresses") == [station + "0a2d0002"]
    own = "fe80" + "00" * 6 + "00420afffe2d0002"
    given = "fd00" + "00" * 13 + "02"
    assert _keys(kernel, "bridge", "addresses6") == [station + given, station + own]
    rules.remove_ports(["t-c1", "t-c2"])
    for name in ("stations", "addresses", "addresses6", "targets6"):
        assert _keys(kernel, "bridge", name) == []


def test_published_ports_change_in_one_transaction() -> None:
    kernel, _, rules = _made()
    rules.publish("a", (_published("0.0.0.0"), _published("127.0.0.1", 81)))
    assert _keys(kernel, "ip", "published_everywhere") == ["060000001f900000"]
    assert _keys(kernel, "ip", "published") == ["7f0000010600000000510000"]
    before = kernel.transactions
    rules.publish("a", (_published("127.0.0.1", 81), _published("127.0.0.1", 82)))
    assert kernel.transactions == before + 1
    assert _keys(kernel, "ip", "published_everywhere") == []
    assert len(_keys(kernel, "ip", "published")) == 2
    rules.publish("a", ())
    assert _keys(kernel, "ip", "published") == []


def test_what_no_rule_can_translate_is_left_to_a_relay() -> None:
    kernel, _, rules = _made()
    to_six = [_published(address, 80, "fd00::2") for address in ("::", "::1", "fd01::1", "0.0.0.0")]
    to_four = [_published(address, 81) for address in ("::", "::1", "0.0.0.0")]
    rules.publish("a", (*to_six, *to_four))
    assert _keys(kernel, "ip6", "published_everywhere") == ["0600000000500000"]
    assert _keys(kernel, "ip6", "published") == ["fd01" + "00" * 13 + "01" + "0600000000500000"]
    assert _keys(kernel, "ip", "published_everywhere") == ["0600000000510000"]
    assert [port.is_relayed for port in to_six] == [True, True, False, True]
    assert [port.is_relayed for port in to_four] == [True, True, False]


def test_all_of_it_is_back_after_a_flush() -> None:
    kernel, ruleset, rules = _made()
    rules.add_ports([PORT])
    rules.publish("a", (_published("127.0.0.1"),))
    assert not ruleset.restore()
    kernel.run("flush ruleset")
    assert ruleset.restore()
    assert len(_keys(kernel, "bridge", "stations")) == 1
    assert len(_keys(kernel, "ip", "published")) == 1
    kernel.run("flush ruleset")
    rules.publish("b", (_published("127.0.0.1", 81),))
    assert len(_keys(kernel, "ip", "published")) == 2


def test_a_change_that_the_kernel_never_takes_is_not_remembered() -> None:
    kernel, _, rules = _made()
    odd = Port(
        device="t-c1",
        bridge="t-bridge",
        interface="eth0",
        hardware_address="02:42:0a:2d:00:02",
        address=IPv4Interface("10.45.0.2/20"),
    )

    def refuse(_: object) -> None:
        raise NetlinkError(1, "refused")

    kernel.apply = refuse  # type: ignore[method-assign,assignment]
    with pytest.raises(NetlinkError):
        rules.add_ports([odd])
    del kernel.apply  # type: ignore[method-assign]
    rules.build()
    assert _keys(kernel, "bridge", "stations") == []


def test_ports_outlive_a_change_of_bridges() -> None:
    kernel, _, rules = _made()
    rules.add_ports([PORT])
    rules.publish("a", (_published("127.0.0.1"),))
    before, rule_count = kernel.transactions, len(kernel.rules("inet", "t"))
    rules.set_bridges([BRIDGE, Bridge(device="t-b1", gateway=None)])
    # In one transaction: there is no moment without them.
    assert kernel.transactions == before + 1
    assert len(_keys(kernel, "bridge", "stations")) == 1
    assert len(_keys(kernel, "ip", "published")) == 1
    rules.set_bridges([BRIDGE])
    assert len(kernel.rules("inet", "t")) == rule_count
    rules.set_bridges([BRIDGE, Bridge(device="t-b1", gateway=None)])
    before = kernel.transactions
    rules.set_bridges([Bridge(device="t-b1", gateway=None), BRIDGE])
    assert kernel.transactions == before
