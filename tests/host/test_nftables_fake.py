import pytest

from sampan.host.netlink_message import NetlinkError
from sampan.host.nftables import NftablesError
from sampan.host.nftables_fake import FakeRules
from sampan.host.nftables_netlink import Element, ElementChange

TABLE = """
    table ip own {
        set addresses { type ipv4_addr
        }
        chain guard {
            type filter hook input priority 0; policy drop;
            ip saddr 127.0.0.1 accept comment "first"
            drop
        }
    }
"""


@pytest.fixture
def rules() -> FakeRules:
    made = FakeRules()
    made.run(TABLE)
    return made


def _change(*keys: bytes, delete: bool = False) -> ElementChange:
    elements = tuple(Element(key) for key in keys)
    return ElementChange("ip", "own", "addresses", elements, delete)


def test_a_table_has_its_rules_and_policies(rules: FakeRules) -> None:
    assert [rule.comment for rule in rules.rules("ip", "own")] == ["first", ""]
    assert rules.policy("ip", "own", "guard") == "drop"
    assert rules.policy("ip", "own", "other") is None
    assert rules.rules("ip", "none") == []


def test_a_transaction_is_done_whole_or_not_at_all(rules: FakeRules) -> None:
    before = rules.generation()
    with pytest.raises(NetlinkError):
        rules.apply([_change(b"a"), _change(b"b", delete=True)])
    with pytest.raises(NftablesError):
        rules.run("flush chain ip own guard\ndelete table ip none")
    assert rules.elements("ip", "own", "addresses") == []
    assert len(rules.rules("ip", "own")) == 2
    assert rules.generation() == before


def test_elements_come_and_go(rules: FakeRules) -> None:
    rules.apply([_change(b"a", b"b")])
    rules.apply([_change(b"a", delete=True), _change(b"c")])
    assert {element.key for element in rules.elements("ip", "own", "addresses")} == {b"b", b"c"}
    assert rules.generation() == 3


def test_rules_are_deleted_by_handle(rules: FakeRules) -> None:
    first = rules.rules("ip", "own", "guard")[0]
    rules.run(f"delete rule ip own guard handle {first.handle}")
    assert [rule.comment for rule in rules.rules("ip", "own")] == [""]
