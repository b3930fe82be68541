"""Owners inside a user namespace and outside it."""

from hypothesis import given
from hypothesis import strategies as st

from sampan.host.identifier_map import IdentifierMap
from sampan.host.identifier_maps import UNMAPPED, OwnerMaps

MAPS = (IdentifierMap(0, 100_000, 1000), IdentifierMap(1000, 300_000, 500))
OWNERS = OwnerMaps(MAPS, MAPS[:1])
ANYBODY = st.integers(0, 400_000)


@given(st.integers(0, 1499), st.integers(0, 999))
def test_who_goes_out_comes_back(user: int, group: int) -> None:
    outside = OWNERS.outside(user, group)
    assert outside != (user, group)
    assert OWNERS.inside(*outside) == (user, group)


@given(ANYBODY)
def test_one_without_a_map_is_nobody_inside(user: int) -> None:
    inside, _ = OWNERS.inside(user, user)
    known = 100_000 <= user < 101_000 or 300_000 <= user < 300_500
    assert (inside == 65_534) != known


@given(ANYBODY, ANYBODY)
def test_without_maps_everybody_stays(user: int, group: int) -> None:
    assert UNMAPPED.inside(user, group) == UNMAPPED.outside(user, group) == (user, group)
