"""The service rules over a ruleset in memory: where would a packet go?"""

import asyncio
import struct
from collections.abc import Mapping
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.network.facts import node_network

from sampan.host.nftables_fake import FakeRules
from sampan.network.contract import Endpoint, ServicePort
from sampan.network.ruleset import Ruleset
from sampan.network.service_maps import slots
from sampan.network.services import KernelServiceRules

PODS = [Endpoint(IPv4Address("10.42.0.2") + number, 8080) for number in range(60)]


class World:
    """Service rules and the ruleset that they are in."""

    def __init__(self, rules: FakeRules | None = None) -> None:
        self.rules = rules or FakeRules()
        self.services = KernelServiceRules(node_network(), Ruleset(self.rules))

    def apply(self, *ports: ServicePort) -> None:
        asyncio.run(self.services.apply({port.name: port for port in ports}))

    def restore(self) -> bool:
        return asyncio.run(self.services.restore())

    def reached(self, address: str, port: int) -> set[Endpoint] | None:
        """Every endpoint that a TCP packet could be sent to; None if no rule takes it."""
        transport = struct.pack(">BxxxHH", 6, port, 0)
        return self._reached("services", "endpoints", IPv4Address(address).packed + transport)

    def reached_by_node_port(self, port: int) -> set[Endpoint] | None:
        return self._reached("node_ports", "node_endpoints", struct.pack(">BxxxHH", 6, port, 0))

    def _reached(self, verdicts: str, endpoints: str, key: bytes) -> set[Endpoint] | None:
        table = self.rules.tables["ip", "sampan"]
        verdict = table.sets[verdicts].get(key)
        if verdict is None:
            return None
        assert verdict.goto in table.chains
        count = int(verdict.goto.rpartition("-")[2])
        held = [table.sets[endpoints][key + struct.pack("=I", index)] for index in range(count)]
        return {
            Endpoint(IPv4Address(element.data[:4]), struct.unpack(">H", element.data[4:6])[0])
            for element in held
        }


def port(name: str, address: str, *endpoints: Endpoint, node_port: int = 0) -> ServicePort:
    return ServicePort(
        name=name,
        protocol="tcp",
        address=IPv4Address(address),
        port=80,
        node_port=node_port,
        endpoints=endpoints,
    )


def test_packets_go_to_the_endpoints_and_to_nothing_else() -> None:
    world = World()
    world.apply(port("a", "10.43.0.1", *PODS[:3], node_port=30000), port("b", "10.43.0.2", PODS[3]))
    assert world.reached("10.43.0.1", 80) == set(PODS[:3])
    assert world.reached("10.43.0.2", 80) == {PODS[3]}
    assert world.reached_by_node_port(30000) == set(PODS[:3])
    assert world.reached("10.43.0.3", 80) is None
    assert world.reached("10.43.0.1", 81) is None


def test_a_service_without_endpoints_is_in_no_map() -> None:
    world = World()
    world.apply(port("a", "10.43.0.1", *PODS[:2], node_port=30000))
    world.apply(port("a", "10.43.0.1", node_port=30000))
    assert world.reached("10.43.0.1", 80) is None
    assert world.reached_by_node_port(30000) is None
    assert all(not each for each in world.rules.tables["ip", "sampan"].sets.values())


def test_one_endpoint_changed_is_one_transaction() -> None:
    world = World()
    world.apply(port("a", "10.43.0.1", *PODS[:3]), port("b", "10.43.0.2", PODS[3]))
    before = world.rules.transactions
    world.apply(port("a", "10.43.0.1", *PODS[1:3]), port("b", "10.43.0.2", PODS[3]))
    assert world.rules.transactions == before + 1
    assert world.reached("10.43.0.1", 80) == set(PODS[1:3])


def test_what_is_there_already_costs_no_transaction() -> None:
    world = World()
    world.apply(port("a", "10.43.0.1", PODS[0]))
    before = world.rules.transactions
    world.apply(port("a", "10.43.0.1", PODS[0]))
    assert world.rules.transactions == before


def test_many_endpoints_share_a_chain_of_more_indexes() -> None:
    world = World()
    world.apply(port("a", "10.43.0.1", *PODS))
    assert world.reached("10.43.0.1", 80) == set(PODS)


@given(st.integers(min_value=1, max_value=5000))
def test_indexes_are_enough_for_an_even_share(count: int) -> None:
    filled = slots(count)
    assert filled == count if count <= 32 else filled >= min(4 * count, 4096)


def test_an_address_moves_to_another_service_in_one_step() -> None:
    world = World()
    world.apply(port("a", "10.43.0.1", PODS[0]))
    world.apply(port("b", "10.43.0.1", PODS[1]))
    assert world.reached("10.43.0.1", 80) == {PODS[1]}


def test_who_has_an_address_keeps_it_until_it_goes() -> None:
    world = World()
    first, second = port("z", "10.43.0.1", PODS[0]), port("a", "10.43.0.1", PODS[1])
    world.apply(first)
    world.apply(first, second)
    assert world.reached("10.43.0.1", 80) == {PODS[0]}
    world.apply(second)
    assert world.reached("10.43.0.1", 80) == {PODS[1]}


@pytest.mark.parametrize("command", ["flush ruleset", "flush table ip sampan"])
def test_flushed_rules_are_built_again(command: str) -> None:
    world = World()
    world.apply(port("a", "10.43.0.1", *PODS[:3]))
    assert not world.restore()
    world.rules.run(command)
    assert world.restore()
    assert world.reached("10.43.0.1", 80) == set(PODS[:3])
    assert not world.restore()


def test_a_change_finds_the_rules_flushed() -> None:
    world = World()
    world.apply(port("a", "10.43.0.1", PODS[0]), port("b", "10.43.0.2", PODS[1]))
    world.rules.run("flush ruleset")
    world.apply(port("a", "10.43.0.1", PODS[2]), port("b", "10.43.0.2", PODS[1]))
    assert world.reached("10.43.0.1", 80) == {PODS[2]}
    assert world.reached("10.43.0.2", 80) == {PODS[1]}


def test_elements_that_somebody_took_are_put_back_by_the_next_change() -> None:
    world = World()
    world.apply(port("a", "10.43.0.1", PODS[0]), port("b", "10.43.0.2", PODS[1]))
    for elements in world.rules.tables["ip", "sampan"].sets.values():
        elements.clear()
    world.apply(port("a", "10.43.0.1", PODS[2]), port("b", "10.43.0.2", PODS[1]))
    assert world.reached("10.43.0.1", 80) == {PODS[2]}
    assert world.reached("10.43.0.2", 80) == {PODS[1]}


def test_other_peoples_changes_are_left_alone() -> None:
    world = World()
    world.apply(port("a", "10.43.0.1", PODS[0]))
    world.rules.run("table ip docker")
    assert not world.restore()
    world.rules.run("table ip docker")
    world.apply(port("a", "10.43.0.1", PODS[1]))
    world.rules.run("flush ruleset")
    assert world.restore()
    assert world.reached("10.43.0.1", 80) == {PODS[1]}


def test_the_next_agent_takes_over_and_removes_what_is_no_more() -> None:
    world = World()
    world.apply(port("a", "10.43.0.1", PODS[0]), port("b", "10.43.0.2", PODS[1]))
    successor = World(world.rules)
    before = world.rules.transactions
    successor.apply(port("a", "10.43.0.1", PODS[0]))
    assert world.rules.transactions == before + 1
    assert successor.reached("10.43.0.1", 80) == {PODS[0]}
    assert successor.reached("10.43.0.2", 80) is None


def test_affinity_has_a_chain_and_a_set_for_each_endpoint() -> None:
    world = World()
    with_affinity = ServicePort(
        name="default/a'; flush ruleset; :http",
        protocol="tcp",
        address=IPv4Address("10.43.0.1"),
        port=80,
        endpoints=tuple(PODS[:2]),
        affinity_seconds=60,
    )
    plain = set(World().rules.tables)
    world.apply(with_affinity)
    table = world.rules.tables["ip", "sampan"]
    chains = [name for name in table.chains if name.startswith("affinity-")]
    assert len(chains) == 3
    assert len([name for name in table.sets if name.startswith("affinity-")]) == 2
    world.apply()
    table = world.rules.tables["ip", "sampan"]
    assert not [name for name in (*table.chains, *table.sets) if name.startswith("affinity-")]
    assert plain == set()


services = st.dictionaries(
    st.sampled_from("abcde"),
    st.tuples(
        st.integers(min_value=1, max_value=4),
        st.sets(st.sampled_from(PODS[:6]), max_size=4),
        st.sampled_from([0, 30001, 30002]),
    ),
    max_size=4,
)


@given(st.lists(services, max_size=6))
def test_any_sequence_of_services_leads_to_exactly_the_last(
    steps: list[Mapping[str, tuple[int, set[Endpoint], int]]],
) -> None:
    world = World()
    for step in [*steps, {}]:
        ports = [
            port(name, f"10.43.0.{number}", *sorted(endpoints), node_port=node_port)
            for name, (number, endpoints, node_port) in step.items()
        ]
        world.apply(*ports)
        claims = [each.address for each in ports] + [each.node_port for each in ports]
        for each in ports:
            alone = claims.count(each.address) == 1 and (
                not each.node_port or claims.count(each.node_port) == 1
            )
            if alone and each.endpoints:
                assert world.reached(str(each.address), 80) == set(each.endpoints)
    assert all(not each for each in world.rules.tables["ip", "sampan"].sets.values())
