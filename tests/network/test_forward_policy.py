from sampan.host.nftables_fake import FakeRules
from sampan.network.forward_policy import ForwardPolicy
from sampan.network.ruleset import Ruleset

DOCKER = "table ip filter\nadd chain ip filter FORWARD {{ type filter hook forward; policy {}; }}"


def _policy(rules: FakeRules) -> ForwardPolicy:
    return ForwardPolicy(Ruleset(rules), ("sampan-pods", "sampan-overlay"), "sampan")


def _comments(rules: FakeRules) -> list[str]:
    return [rule.comment for rule in rules.rules("ip", "filter", "FORWARD")]


def test_nothing_is_made_where_there_is_no_such_chain() -> None:
    rules = FakeRules()
    policy = _policy(rules)
    assert policy.intact()
    policy.build()
    policy.take_down()
    assert rules.tables == {}


def test_a_chain_that_accepts_is_left_alone() -> None:
    rules = FakeRules()
    rules.run(DOCKER.format("accept"))
    policy = _policy(rules)
    policy.build()
    assert _comments(rules) == []


def test_a_chain_that_drops_lets_our_interfaces_through_and_keeps_its_rules() -> None:
    rules = FakeRules()
    rules.run(DOCKER.format("drop"))
    rules.run('add rule ip filter FORWARD counter comment "docker"')
    policy = _policy(rules)
    assert not policy.intact()
    policy.build()
    assert policy.intact()
    assert len(_comments(rules)) == 5
    assert _comments(rules)[-1] == "docker"
    policy.build()
    assert len(_comments(rules)) == 5
    policy.take_down()
    assert _comments(rules) == ["docker"]
