"""Whose user namespace containers run in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sampan.engine.containers.configuration import HostConfiguration
from sampan.engine.containers.user_remapping import VARIABLE, maps_of, remapping
from sampan.engine.contract import InvalidConfiguration
from sampan.host.identifier_map import IdentifierMap
from sampan.host.identifier_maps import UNMAPPED, OwnerMaps

FILES = {
    "/etc/passwd": "root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\nnone:x:5:5::/:/bin/sh\n",
    "/etc/group": "root:x:0:\nalice:x:1000:\nstaff:x:50:\n",
    "/etc/subuid": "dockremap:100000:65536\nalice:300000:10\n1000:200000:5\nbad\n",
    "/etc/subgid": "dockremap:100000:65536\nalice:400000:65536\nstaff:500000:7\n",
}
MAPS = OwnerMaps((IdentifierMap(0, 1, 1),), (IdentifierMap(0, 1, 1),))


def said(value: str) -> OwnerMaps:
    return remapping({VARIABLE: value}, FILES.__getitem__)


def test_ranges_are_those_of_the_name() -> None:
    usual = (IdentifierMap(0, 100_000, 65_536),)
    assert said("default") == said("dockremap") == OwnerMaps(usual, usual)
    users = (IdentifierMap(0, 200_000, 5), IdentifierMap(5, 300_000, 10))
    assert said("alice").users == said("1000").users == users
    assert said("alice").groups == (IdentifierMap(0, 400_000, 65_536),)
    assert said("alice:staff").groups == said("1000:50").groups == (IdentifierMap(0, 500_000, 7),)
    assert remapping({}, FILES.__getitem__) == UNMAPPED


@given(st.lists(st.tuples(st.integers(0, 1 << 31), st.integers(1, 1 << 16)), min_size=1))
def test_identifiers_inside_have_no_gap(ranges: list[tuple[int, int]]) -> None:
    text = "".join(f"a:{start}:{count}\n" for start, count in ranges)
    maps = remapping({VARIABLE: "a"}, lambda file: text if "sub" in file else "")
    inside = 0
    for each in maps.users:
        assert each.inside == inside
        inside += each.count
    assert inside == sum(count for _, count in ranges)


def test_a_name_without_ranges_is_refused() -> None:
    for wrong in ("none", "nobody", "alice:root"):
        with pytest.raises(InvalidConfiguration, match="no range"):
            said(wrong)


def test_what_shares_the_hosts_namespaces_has_to_say_so() -> None:
    assert maps_of(HostConfiguration(), MAPS) == MAPS
    assert maps_of(HostConfiguration(privileged=True), UNMAPPED) == UNMAPPED
    for wrong in ({"privileged": True}, {"network_mode": "host"}, {"process_mode": "host"}):
        with pytest.raises(InvalidConfiguration, match="user namespaces"):
            maps_of(HostConfiguration(**wrong), MAPS)
        own = HostConfiguration(**wrong, user_namespace_mode="host")
        assert maps_of(own, MAPS) == UNMAPPED
